// Pictures side by side under one magnifier: what is done to one is done to all.
const MOST = 16, STEP = 1.5;

export default function ({ parentElement, data }) {
  const panes = parentElement.querySelector('.panes');
  const at = (name) => parentElement.querySelector('.' + name);
  const own = (panes.own ??= { shown: '', scale: 1, x: 0, y: 0 });  // x and y: left and top edge, in pane widths and heights

  const paint = () => {
    const room = 1 - own.scale;
    own.x = Math.min(0, Math.max(room, own.x));
    own.y = Math.min(0, Math.max(room, own.y));
    const transform = `translate(${100 * own.x}%, ${100 * own.y}%) scale(${own.scale})`;
    panes.querySelectorAll('img').forEach((picture) => { picture.style.transform = transform; });
    panes.classList.toggle('large', own.scale > 1);
    at('scale').textContent = `${Math.round(100 * own.scale)} %`;
  };

  // The point (x, y) of a pane stays where it is.
  const zoom = (factor, x = 0.5, y = 0.5) => {
    const scale = Math.min(MOST, Math.max(1, own.scale * factor)), change = scale / own.scale;
    Object.assign(own, { scale, x: x - (x - own.x) * change, y: y - (y - own.y) * change });
    paint();
  };
  const move = (x, y) => { own.x += x; own.y += y; paint(); };
  const whole = () => { Object.assign(own, { scale: 1, x: 0, y: 0 }); paint(); };
  const within = (event, pane) => {
    const box = pane.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  const make = (item) => {
    const pane = document.createElement('figure'), label = document.createElement('figcaption');
    const picture = Object.assign(new Image(), { alt: item.alt, src: item.src, draggable: false });
    picture.style.backgroundImage = `url("${item.small}")`;
    label.textContent = item.letter;
    pane.style.setProperty('--shape', item.shape);
    pane.append(picture, label);
    return pane;
  };

  const keys = {
    '+': () => zoom(STEP), '=': () => zoom(STEP), '-': () => zoom(1 / STEP), 0: whole,
    ArrowLeft: () => move(0.1, 0), ArrowRight: () => move(-0.1, 0), ArrowUp: () => move(0, 0.1), ArrowDown: () => move(0, -0.1),
  };

  at('less').onclick = () => zoom(1 / STEP);
  at('more').onclick = () => zoom(STEP);
  at('whole').onclick = whole;
  panes.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  panes.ondblclick = (event) => {
    const pane = event.target.closest('figure');
    if (pane) own.scale > 1 ? whole() : zoom(STEP ** 3, ...within(event, pane));
  };
  panes.onpointerdown = (event) => {
    const pane = event.target.closest('figure');
    if (!pane || own.scale === 1) return;
    own.from = { at: within(event, pane), pane };
    pane.setPointerCapture(event.pointerId);
  };
  panes.onpointermove = (event) => {
    if (!own.from) return;
    const [x, y] = within(event, own.from.pane);
    move(x - own.from.at[0], y - own.from.at[1]);
    own.from.at = [x, y];
  };
  panes.onpointerup = panes.onpointercancel = () => { own.from = null; };
  panes.onwheel = (event) => {
    const pane = event.target.closest('figure');
    if (!pane || !(event.ctrlKey || event.metaKey)) return;  // without, the wheel scrolls the page
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 200), ...within(event, pane));
  };

  const shown = data.items.map((item) => item.id).join();
  if (own.shown !== shown) {
    own.shown = shown;
    const count = data.items.length, across = count <= 4 ? count : Math.ceil(count / 2);
    panes.style.setProperty('--across', across);
    panes.style.setProperty('--wide', across * Math.max(...data.items.map((item) => item.shape)));
    panes.replaceChildren(...data.items.map(make));
    whole();
  }
}
