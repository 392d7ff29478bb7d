// Draws a labelled sheet whose pictures come one by one; one of them shows large, its neighbours an arrow key away.
const make = (tag, name, ...inside) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...inside);
  return element;
};

export default function ({ parentElement, data, setTriggerValue }) {
  const at = (name) => parentElement.querySelector(name);
  const across = data.columns.length;
  const shape = JSON.stringify([data.columns, data.rows, data.caption]);
  const box = at('dialog');

  if (at('.frame').dataset.shape !== shape) { // another comparison than before
    at('.frame').dataset.shape = shape;
    at('.frame').setAttribute('aria-label', 'Contact sheet');
    at('.frame').style.setProperty('--across', across);
    at('.frame').style.setProperty('--down', data.rows.length);
    at('caption').textContent = data.caption;
    const head = data.columns.map((words) => Object.assign(make('th', '', words), { scope: 'col' }));
    const several = data.corner !== '';
    at('.frame').style.setProperty('--lead', several ? '7rem' : '0rem');
    at('thead').replaceChildren(make('tr', '', ...(several ? [make('td', 'corner', data.corner)] : []), ...head));
    at('tbody').replaceChildren(...data.rows.map((words) => make('tr', '',
      ...(several ? [Object.assign(make('th', '', words), { scope: 'row' })] : []),
      ...data.columns.map(() => make('td', 'cell')))));
  }

  const places = [...at('tbody').querySelectorAll('.cell')];
  data.cells.forEach((cell, place) => {
    const told = JSON.stringify(cell);
    if (places[place].dataset.told === told) return;
    places[place].dataset.told = told;
    places[place].replaceChildren(cell.id ? picture(cell, place) : blank(cell));
  });

  function picture(cell, place) {
    const image = Object.assign(new Image(cell.width, cell.height), { src: cell.small, alt: cell.alt, loading: 'lazy' });
    const button = make('button', 'print', image);
    button.title = cell.name;
    button.onclick = () => { look(place); box.showModal(); };
    return button;
  }

  function blank(cell) {
    const paper = make('div', 'paper' + (cell.failed ? ' failed' : '') + (cell.busy ? ' busy' : ''), make('p', '', cell.words));
    if (cell.failed) paper.tabIndex = 0; // a long reason can be scrolled
    paper.style.setProperty('--part', 100 * (cell.part ?? 0) + '%');
    return paper;
  }

  function look(place) {
    const cell = data.cells[place];
    box.dataset.place = place;
    Object.assign(box.querySelector('img'), { src: cell.large, alt: cell.alt, width: cell.width, height: cell.height });
    box.querySelector('h2').textContent = cell.name;
    box.querySelector('.facts').textContent = cell.facts;
    box.querySelector('.download').href = cell.download;
    box.querySelector('.alone').href = cell.large;
  }

  // The next picture that is there, `step` places on, within the sheet.
  function turn(step) {
    for (let place = Number(box.dataset.place) + step; place >= 0 && place < data.cells.length; place += step) {
      if (data.cells[place].id) return look(place);
    }
  }

  const [previous, next] = box.querySelectorAll('.turn');
  previous.onclick = () => turn(-1);
  next.onclick = () => turn(1);
  const keys = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across };
  box.onkeydown = (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    turn(keys[event.key]);
  };
  box.onclick = (event) => event.target === box && box.close();
  box.querySelector('.reuse').onclick = () => {
    box.close();
    setTriggerValue('reused', data.cells[box.dataset.place].id);
  };
}
