// Uncovers one of two pictures as far as the handle is moved: by mouse, by finger, and by the keys of a slider.
const KEYS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };

export default function ({ parentElement, data }) {
  const box = parentElement.querySelector('.slider');
  const handle = box.querySelector('.handle');

  const move = (part) => {
    const place = Math.min(100, Math.max(0, part));
    box.style.setProperty('--at', place + '%');
    handle.setAttribute('aria-valuenow', Math.round(place));
    handle.setAttribute('aria-valuetext', `${Math.round(place)} % ${data.labels[0]}, the rest ${data.labels[1]}`);
  };
  const follow = (event) => {
    const { left, width } = box.getBoundingClientRect();
    move(100 * (event.clientX - left) / width);
  };

  ['over', 'under'].forEach((name, place) => {
    const picture = box.querySelector('.' + name);
    if (picture.getAttribute('src') !== data.sources[place]) picture.src = data.sources[place];
    picture.alt = `${data.alt}, ${data.labels[place]}`;
    picture.draggable = false;
    box.querySelectorAll('.name')[place].textContent = data.labels[place];
  });
  box.style.setProperty('--side', data.width + 'px');
  box.style.setProperty('--shape', data.width / data.height);
  handle.setAttribute('aria-label', `Between ${data.labels[0]} and ${data.labels[1]}`);
  if (!handle.hasAttribute('aria-valuenow')) move(50);

  box.onpointerdown = (event) => {
    if (event.button !== 0) return;
    box.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    follow(event);
  };
  box.onpointermove = (event) => box.hasPointerCapture(event.pointerId) && follow(event);
  box.ondblclick = () => move(50);
  handle.onkeydown = (event) => {
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    move(Number(handle.getAttribute('aria-valuenow')) + KEYS[event.key] * (event.shiftKey ? 5 : 1));
  };
}
