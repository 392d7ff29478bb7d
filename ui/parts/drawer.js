// On a phone Streamlit's sidebar lies over the page: a button that opens it, and a way for the page to close it.
// It presses Streamlit's own buttons, so that Streamlit knows.
const NARROW = '(max-width: 767px)';

const press = (name) => {
  const place = document.querySelector(`[data-testid=${name}]`);  // is there only while it can be pressed
  (place?.matches('button') ? place : place?.querySelector('button'))?.click();
};

export default function ({ parentElement, data }) {
  const button = parentElement.querySelector('button');
  const before = Number(button.dataset.begun ?? data.begun);
  button.dataset.begun = data.begun;
  button.onclick = () => press('stExpandSidebarButton');
  if (data.begun > before && matchMedia(NARROW).matches) press('stSidebarCollapseButton');
}
