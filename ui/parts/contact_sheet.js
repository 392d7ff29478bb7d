// Draws a row of small pictures as buttons, and tells which one was clicked.
export default function ({ parentElement, data, setTriggerValue }) {
  const sheet = parentElement.querySelector('.sheet');
  sheet.setAttribute('aria-label', data.label);
  sheet.classList.add(data.width);
  const known = new Map([...sheet.children].map((button) => [button.dataset.id, button]));
  sheet.replaceChildren(...data.items.map((item) => {
    const button = known.get(item.id) ?? document.createElement('button');
    if (!known.has(item.id)) {
      const picture = Object.assign(new Image(), { src: item.src, alt: item.alt, loading: 'lazy' });
      button.dataset.id = item.id;
      button.title = item.alt;
      button.append(picture);
    }
    button.setAttribute('aria-pressed', item.id === data.shown);
    button.onclick = () => setTriggerValue('picked', item.id);
    return button;
  }));
}
