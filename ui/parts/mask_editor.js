// Paints a mask over a picture with mouse, pen, fingers or keys, and tells under which id the studio keeps it.
const LARGEST = 8, LEAST_SHOWN = 512;  // times as large as it fits; pixels
const POINTER = 14, PATIENCE = 4000;  // screen pixels of the cursor that selects; milliseconds until a wait is explained

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const box = parentElement.querySelector('.editor'), all = (what) => box.querySelectorAll(what);
  const [stage, sheet, canvas, cursor, told, blur] =
    ['.stage', '.sheet', 'canvas', '.cursor', '.told', 'feGaussianBlur'].map((part) => box.querySelector(part));
  const slider = box.querySelector('input');
  // When the page is drawn anew, this element may be another one: what is painted, and what is under way, stays.
  const fresh = { opening: data.opening, tool: 'brush', zoom: 1, at: null, fingers: new Map(), turn: 0, kept: 0 };
  const own = window.darkroomMask?.opening === data.opening ? window.darkroomMask : (window.darkroomMask = fresh);

  const say = (words, wrong = false) => {
    own.said = [words, wrong];
    own.now.told.textContent = words;
    own.now.told.classList.toggle('wrong', wrong);
  };
  const size = () => Math.max(2, Math.round(Math.min(data.width, data.height) * (slider.value / 100) ** 2 * 0.8));
  const selects = () => own.tool === 'add' || own.tool === 'take';
  const middle = () => [data.width / 2, data.height / 2];

  const show = () => {
    for (const button of all('[data-tool]')) button.setAttribute('aria-pressed', button.dataset.tool === own.tool);
    box.querySelector('[data-act=undo]').disabled = !own.paper.undoable;
    box.querySelector('[data-act=redo]').disabled = !own.paper.redoable;
    const shape = data.width / data.height, most = (parseFloat(getComputedStyle(stage).maxHeight) || innerHeight) * shape;
    const width = Math.min(stage.clientWidth, Math.max(data.width, LEAST_SHOWN), most) * own.zoom;
    Object.assign(sheet.style, { width: `${width}px`, height: `${width / shape}px` });
    const scale = width / data.width, across = `${selects() ? POINTER : size() * scale}px`;
    blur.setAttribute('stdDeviation', data.feather * scale / 2);
    canvas.classList.toggle('soft', data.feather > 0 && !own.paper.painting);  // quick while it is painted
    cursor.hidden = own.at === null;
    if (own.at === null) return;
    Object.assign(cursor.style, { left: `${own.at[0] * scale}px`, top: `${own.at[1] * scale}px`, width: across, height: across });
  };
  own.now = { told, show, setStateValue };

  // Keeping it: one at a time, and what was painted meanwhile goes next. The same pixels have the same id.
  const post = async (address, body, type) => {
    const answer = await fetch(address, { method: 'POST', body, headers: type ? { 'Content-Type': type } : {} });
    const kept = await answer.json();
    if (!answer.ok) throw new Error([kept.detail ?? answer.statusText, kept.remedy].filter(Boolean).join(' '));
    return kept.id;
  };
  const keep = async () => {
    while (own.kept !== own.turn) {
      const turn = own.turn, part = own.paper.share();
      try {
        const mask = part > 0 ? await post(data.post, await own.paper.png()) : '';
        own.now.setStateValue('mask', mask);
      } catch (error) {
        return say(`The mask could not be kept: ${error.message.replace(/\.?$/, '.')} Press Done to try again.`, true);
      }
      own.kept = turn;
      tell(part);
    }
  };
  const kept = () => (own.keeping ??= keep().finally(() => { own.keeping = null; }));
  const tell = (part) => {
    if (part === 0) say('Nothing is painted yet.');
    else if (part === 1) say('All of it is painted: leave a part free.', true);
    else say(`${part < 0.01 ? 'Less than 1' : Math.min(99, Math.round(100 * part))} % is drawn anew.`);
  };
  const changed = () => { own.turn += 1; own.now.show(); kept(); };

  // Selecting: the studio finds the thing at a place, and its mask is a deed like any other. One at a time.
  const picture = async (src) => {
    const image = Object.assign(new Image(), { src });
    await image.decode();
    return image;
  };
  const select = async ([x, y], tool) => {
    if (own.selecting || x < 0 || y < 0 || x > data.width || y > data.height) return;
    const points = [{ x: Math.min(x, data.width - 1), y: Math.min(y, data.height - 1) }];
    own.selecting = true;
    say('Looking for what is there …');
    const waits = setTimeout(say, PATIENCE,
      'Still looking. The first look at a picture takes longest, and while a job runs, this waits until it is done.');
    try {
      const found = await post(data.select, JSON.stringify({ points }), 'application/json');
      const mask = await picture(`${data.uploads}/${found}`);
      if (own !== window.darkroomMask) return;  // the editor was closed, and opened anew
      own.paper.stamp(tool, mask);
      changed();
    } catch (error) {
      say(error.message, true);
    } finally {
      clearTimeout(waits);
      own.selecting = false;
    }
  };
  const other = { add: 'take', take: 'add' };

  const zoom = (factor, x, y) => {
    const old = sheet.getBoundingClientRect(), view = stage.getBoundingClientRect();
    x ??= view.left + view.width / 2;
    y ??= view.top + view.height / 2;
    own.zoom = Math.min(LARGEST, Math.max(1, own.zoom * factor));
    show();
    const now = sheet.getBoundingClientRect();  // what was under x and y comes there again
    stage.scrollLeft += now.left + (x - old.left) / old.width * now.width - x;
    stage.scrollTop += now.top + (y - old.top) / old.height * now.height - y;
  };
  const pick = (tool) => {
    own.tool = tool;
    if (selects()) say(data.needs || `Click a thing to ${tool === 'add' ? 'paint it' : 'take its paint away'}.`, data.needs !== '');
    show();
  };
  const acts = {
    undo: () => { if (own.paper.undoable) { own.paper.undo(); changed(); } },
    redo: () => { if (own.paper.redoable) { own.paper.redo(); changed(); } },
    larger: () => zoom(1.5),
    smaller: () => zoom(1 / 1.5),
    done: async () => { await kept(); if (own.kept === own.turn) setTriggerValue('done', true); },
  };
  for (const what of ['fill', 'invert', 'clear']) acts[what] = () => { own.paper.act(what); changed(); };
  for (const button of all('[data-tool]')) button.onclick = () => pick(button.dataset.tool);
  for (const button of all('[data-act]')) button.onclick = acts[button.dataset.act];
  slider.oninput = show;

  // Mouse, pen and fingers: one paints; two, or the middle button, move the picture.
  const place = (event) => {
    const edge = canvas.getBoundingClientRect(), scale = data.width / edge.width;
    return [(event.clientX - edge.left) * scale, (event.clientY - edge.top) * scale];
  };
  const held = () => {
    const [a, b] = [...own.fingers.values()], c = b ?? a;
    return { apart: Math.hypot(a[0] - c[0], a[1] - c[1]), x: (a[0] + c[0]) / 2, y: (a[1] + c[1]) / 2 };
  };
  const move = () => {
    const now = held();
    stage.scrollLeft -= now.x - own.held.x;
    stage.scrollTop -= now.y - own.held.y;
    if (now.apart && own.held.apart) zoom(now.apart / own.held.apart, now.x, now.y);
    own.held = now;
  };
  sheet.onpointerdown = (event) => {
    if (event.button > 1) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    sheet.setPointerCapture(event.pointerId);
    own.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    own.at = place(event);
    own.down = false;
    if (own.fingers.size > 1 || event.button === 1) {
      if (own.paper.painting) own.paper.giveUp();  // it was the beginning of a pinch
      own.held = held();
    } else {
      own.held = null;
      if (selects()) own.down = true;
      else own.paper.begin(own.tool, size(), own.at);
    }
    show();
  };
  sheet.onpointermove = (event) => {
    if (own.fingers.has(event.pointerId)) own.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (own.held && own.fingers.size) return move();
    if (own.paper.painting) for (const one of [...(event.getCoalescedEvents?.() ?? []), event]) own.paper.draw(place(one));
    own.at = place(event);
    show();
  };
  sheet.onpointerup = sheet.onpointercancel = (event) => {
    own.fingers.delete(event.pointerId);
    if (own.down && event.type === 'pointerup') select(place(event), event.shiftKey ? other[own.tool] : own.tool);
    own.down = false;
    if (own.held && own.fingers.size) own.held = held();
    if (event.pointerType === 'touch') own.at = null;
    if (own.paper.painting) { own.paper.end(); changed(); }
  };
  sheet.onpointerleave = () => { if (!own.paper.painting) { own.at = null; show(); } };
  stage.onwheel = (event) => {
    if (!event.ctrlKey) return;  // without it the wheel moves a picture that is larger than the stage
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX, event.clientY);
  };

  const step = (x, y, paints) => {
    const far = Math.max(4, size() / 3), from = own.at ?? middle();
    own.at = [Math.min(data.width, Math.max(0, from[0] + x * far)), Math.min(data.height, Math.max(0, from[1] + y * far))];
    if (!paints || selects()) return show();
    own.paper.begin(own.tool, size(), from);
    own.paper.draw(own.at);
    own.paper.end();
    changed();
  };
  const dot = (shift) => {
    own.at ??= middle();
    if (!selects()) { own.paper.begin(own.tool, size(), own.at); own.paper.end(); return changed(); }
    show();
    select(own.at, shift ? other[own.tool] : own.tool);
  };
  const resize = (by) => { slider.value = Number(slider.value) + by; show(); };
  const keys = {
    ArrowLeft: (paints) => step(-1, 0, paints), ArrowRight: (paints) => step(1, 0, paints),
    ArrowUp: (paints) => step(0, -1, paints), ArrowDown: (paints) => step(0, 1, paints), ' ': dot,
    b: () => pick('brush'), e: () => pick('eraser'), s: () => pick('add'), d: () => pick('take'),
    i: acts.invert, '[': () => resize(-5), ']': () => resize(5), '+': acts.larger, '-': acts.smaller,
  };
  box.onkeydown = (event) => {
    const command = event.ctrlKey || event.metaKey, name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const moves = event.target !== stage && (name === ' ' || name.startsWith('Arrow'));  // the button's or slider's own
    const wanted = command ? { z: event.shiftKey ? acts.redo : acts.undo, y: acts.redo }[name] : !moves && keys[name];
    if (!wanted || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    wanted(event.shiftKey);
  };

  if (!own.paper) {
    own.paper = paperOn(canvas, data.width, data.height);
    say('Paint over what is to be drawn anew.');
    if (data.mask) {
      const mask = Object.assign(new Image(), { src: data.mask });
      mask.onload = () => { own.paper.layUnder(mask); own.now.show(); tell(own.paper.share()); };
    }
  } else if (own.canvas !== canvas) {
    own.paper.moveTo(canvas);
    own.fingers.clear();
    say(...own.said);
  }
  if (own.canvas !== canvas) box.querySelector('img').src = data.src;
  own.canvas = canvas;
  show();
  const watcher = new ResizeObserver(show);
  watcher.observe(stage);
  return () => watcher.disconnect();
}
