// The short name of a file, and a button that copies the long one.
export default function ({ parentElement, data }) {
  const [name, button] = [parentElement.querySelector('.path'), parentElement.querySelector('button')];
  name.textContent = data.short;
  name.title = data.full;
  button.onclick = async () => {
    await navigator.clipboard?.writeText(data.full);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy path'; }, 1500);
  };
}
