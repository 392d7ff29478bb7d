// Shows one picture, and tells when somebody wants the next, or back to the grid.
const WIPE = 60;  // pixels

export default function ({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector('.viewer'), sheet = box.querySelector('.sheet');
  const picture = box.querySelector('.picture');
  const own = (box.own ??= { src: '', ahead: [] });
  const ways = new Map(data.ahead);

  box.style.setProperty('--shape', data.width / data.height);
  box.style.setProperty('--side', data.width + 'px');
  picture.classList.toggle('clear', data.clear);
  if (own.src !== data.src) {
    own.src = data.src;
    sheet.href = data.src;
    // Until the large one is here; a transparent one would let it be seen for ever.
    sheet.style.backgroundImage = data.clear ? '' : `url("${data.small}")`;
    picture.removeAttribute('src');
    Object.assign(picture, { alt: data.alt, src: data.src });
    own.ahead = [...ways.values()].map((src) => Object.assign(new Image(), { src }));
  }

  const go = (way) => { if (ways.has(way)) setTriggerValue('went', way); };
  for (const way of ['newer', 'older']) {
    const button = box.querySelector('.' + way);
    button.hidden = !ways.has(way);
    button.onclick = () => go(way);
  }

  box.onpointerdown = (event) => { own.from = event.isPrimary && event.pointerType === 'touch' ? event.clientX : null; };
  box.onpointerup = (event) => {
    const moved = own.from == null ? 0 : event.clientX - own.from;
    if (Math.abs(moved) > WIPE) go(moved > 0 ? 'newer' : 'older');
  };

  const keys = { ArrowLeft: () => go('newer'), ArrowRight: () => go('older'), Escape: () => setTriggerValue('closed', true) };
  const press = (event) => {
    const busy = event.composedPath()[0].closest?.('input, textarea, [role=radiogroup], [role=tablist], [role=menu], pre, [contenteditable]');
    if (busy || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  own.stop?.();
  document.addEventListener('keydown', press);
  own.stop = () => document.removeEventListener('keydown', press);
  return own.stop;
}
