// Draws the list of jobs. Rows are kept and moved, so that nothing jumps and a button that is pressed is heard.
const SURE_MS = 5000;

export default function ({ parentElement, data, setTriggerValue }) {
  const at = (name) => parentElement.querySelector('.' + name);
  const list = parentElement.querySelector('ol');
  const ask = (what, id = '') => setTriggerValue('asked', { what, id });

  const button = (row, what, sign) => {
    const made = Object.assign(document.createElement('button'), { type: 'button', className: what, textContent: sign });
    made.onclick = () => ask(what, row.dataset.id);
    return made;
  };

  const create = (id) => {
    const row = Object.assign(document.createElement('li'), { className: 'row' });
    row.dataset.id = id;
    row.innerHTML = '<div class="place"></div><div><div class="words"></div><div class="about"></div>' +
      '<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" hidden><i></i></div></div><div class="ways"></div>';
    row.querySelector('.ways').append(button(row, 'earlier', '↑'), button(row, 'later', '↓'), button(row, 'cancel', '✕'));
    return row;
  };

  const name = (row, what, words, disabled = false) => {
    const one = row.querySelector('.' + what);
    one.ariaLabel = one.title = words;
    one.disabled = disabled;
  };

  const fill = (row, job) => {
    const begun = job.done !== null;
    const [place, about, bar] = ['.place', '.about', '.bar'].map((part) => row.querySelector(part));
    row.classList.toggle('begun', begun);
    row.querySelector('.words').textContent = job.words;
    row.querySelector('.words').title = job.prompt;
    about.textContent = job.about;
    about.hidden = !job.about;
    if (job.picture && place.firstElementChild?.getAttribute('src') !== job.picture)
      place.replaceChildren(Object.assign(new Image(), { src: job.picture, alt: '' }));
    else if (!job.picture) place.textContent = begun ? '▸' : job.place ?? '';
    bar.hidden = !begun;
    const percent = Math.round(100 * (job.done ?? 0));
    bar.firstElementChild.style.width = percent + '%';
    bar.ariaValueNow = percent;
    bar.ariaLabel = `Progress of “${job.words}”`;
    name(row, 'earlier', `Move “${job.words}” up`, begun || job.first);
    name(row, 'later', `Move “${job.words}” down`, begun || job.last);
    name(row, 'cancel', `Cancel “${job.words}”`);
    return row;
  };

  const focused = parentElement.querySelector(':focus');
  const known = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const rows = data.rows.map((job) => fill(known.get(job.id) ?? create(job.id), job));
  rows.forEach((row, index) => { if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null); });
  while (list.children.length > rows.length) list.lastElementChild.remove();
  if (focused && parentElement.contains(focused)) focused.focus();  // moving a row takes it away

  at('count').textContent = data.count;
  at('others').hidden = !data.others || !data.waiting;
  at('others').textContent = data.others === 1 ? 'One job of somebody else comes before your next one.'
    : `${data.others} jobs of others come before your next one.`;

  const all = at('all');
  const calm = () => { all.textContent = 'Cancel all of mine'; delete all.dataset.sure; };
  if (!all.dataset.sure) calm();
  all.hidden = data.count <= 2;
  all.onclick = () => {
    if (all.dataset.sure) { calm(); ask('all'); return; }
    all.dataset.sure = 'asked';
    all.textContent = 'Really cancel all?';
    setTimeout(calm, SURE_MS);
  };

  const hidden = data.count - data.rows.length;
  at('more').hidden = !hidden && !data.all;
  at('more').textContent = hidden ? `and ${hidden} more` : 'Show fewer';
  at('more').ariaExpanded = !hidden;
  at('more').onclick = () => ask('more');
}
