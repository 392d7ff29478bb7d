// Draws one page of pictures, and tells which is opened, which are selected and which get a heart.
// The selection lives here, so that it answers at once; Python has the last word when it changes `turn`.
export default function ({ parentElement, data, setTriggerValue }) {
  const grid = parentElement.querySelector('.grid');
  const model = parentElement.querySelector('template').content.firstElementChild;
  const own = (grid.own ??= { turn: null, chosen: new Set(), hearts: new Map(), anchor: '', current: '', focus: '' });
  const tiles = () => [...grid.children];
  const tileOf = (id) => tiles().find((tile) => tile.dataset.id === id);

  const paint = (tile) => {
    const item = tile.item, favourite = own.hearts.get(item.id) ?? item.favourite;
    const words = [item.alt, favourite && 'favourite', item.rating && `${item.rating} of 5 stars`];
    tile.setAttribute('aria-label', words.filter(Boolean).join(', '));
    tile.setAttribute('aria-selected', own.chosen.has(item.id));
    tile.tabIndex = item.id === own.current ? 0 : -1;
    tile.classList.toggle('favourite', favourite);
    tile.classList.toggle('marked', favourite || item.rating > 0);
    tile.querySelector('.stars').textContent = '★'.repeat(item.rating);
  };

  const repaint = () => {
    tiles().forEach(paint);
    grid.classList.toggle('selecting', own.chosen.size > 0);
  };

  const make = (item) => {
    const tile = document.importNode(model, true), picture = tile.querySelector('img');
    tile.dataset.id = item.id;
    tile.style.setProperty('--shape', Math.min(3, Math.max(0.4, item.width / item.height)));
    tile.title = item.alt;
    Object.assign(picture, { alt: item.alt, src: item.src });
    return tile;
  };

  const choose = (ids) => {
    own.chosen = new Set(ids);
    repaint();
    setTriggerValue('chosen', [...own.chosen]);
  };

  const toggle = (tile) => {
    const ids = new Set(own.chosen);
    ids.delete(tile.dataset.id) || ids.add(tile.dataset.id);
    own.anchor = tile.dataset.id;
    choose(ids);
  };

  const chooseTo = (tile) => {
    const ids = tiles().map((one) => one.dataset.id);
    const [from, to] = [ids.indexOf(own.anchor), ids.indexOf(tile.dataset.id)].sort((a, b) => a - b);
    choose([...own.chosen, ...ids.slice(Math.max(0, from), to + 1)]);
  };

  const heart = (tile) => {
    own.hearts.set(tile.dataset.id, !tile.classList.contains('favourite'));
    paint(tile);
    setTriggerValue('hearted', Object.fromEntries(own.hearts));
  };

  const focus = (tile) => {
    if (!tile) return;
    own.current = tile.dataset.id;
    repaint();
    tile.focus();
  };

  const beside = (tile, step) => tiles()[tiles().indexOf(tile) + step];

  // The tile of the next row above or below whose middle is nearest.
  const across = (tile, step) => {
    const middle = (one) => one.offsetLeft + one.offsetWidth / 2;
    const rows = [...new Set(tiles().map((one) => one.offsetTop))];
    const top = rows[rows.indexOf(tile.offsetTop) + step];
    return tiles().filter((one) => one.offsetTop === top)
      .sort((a, b) => Math.abs(middle(a) - middle(tile)) - Math.abs(middle(b) - middle(tile)))[0];
  };

  const keys = {
    ArrowLeft: (tile) => focus(beside(tile, -1)),
    ArrowRight: (tile) => focus(beside(tile, 1)),
    ArrowUp: (tile) => focus(across(tile, -1)),
    ArrowDown: (tile) => focus(across(tile, 1)),
    Home: () => focus(tiles()[0]),
    End: () => focus(tiles().at(-1)),
    Enter: (tile) => setTriggerValue('picked', tile.dataset.id),
    ' ': (tile, event) => event.shiftKey ? chooseTo(tile) : toggle(tile),
    Escape: () => own.chosen.size && choose([]),
  };

  grid.onkeydown = (event) => {
    const tile = event.target.closest('.tile');
    if (!tile || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== 'a') return;
      choose([...own.chosen, ...tiles().map((one) => one.dataset.id)]);
    } else if (keys[event.key]) keys[event.key](tile, event);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  grid.onclick = (event) => {
    const tile = event.target.closest('.tile');
    if (!tile) return;
    own.current = tile.dataset.id;
    if (event.target.closest('.heart')) heart(tile);
    else if (event.shiftKey) chooseTo(tile);
    else if (event.target.closest('.check') || event.ctrlKey || event.metaKey) toggle(tile);
    else setTriggerValue('picked', tile.dataset.id);
  };

  if (own.turn !== data.turn) {
    own.turn = data.turn;
    own.chosen = new Set(data.selected);
  }
  const known = new Map(tiles().map((tile) => [tile.dataset.id, tile]));
  const wanted = data.items.map((item) => {
    const tile = known.get(item.id) ?? make(item);
    if (own.hearts.get(item.id) === item.favourite) own.hearts.delete(item.id);
    tile.item = item;
    return tile;
  });
  if (wanted.length !== grid.children.length || wanted.some((tile, place) => tile !== grid.children[place])) {
    grid.replaceChildren(...wanted);
  }
  if (!tileOf(own.current)) own.current = data.items[0]?.id ?? '';
  grid.classList.toggle('unmarked', !data.marks);
  repaint();

  if (own.page !== undefined && own.page !== data.page) grid.scrollIntoView({ block: 'start' });
  own.page = data.page;
  if (own.focus !== data.focus) {  // somebody comes back from a picture
    own.focus = data.focus;
    focus(tileOf(data.focus));
  }
}
