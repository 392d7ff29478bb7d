// The paint on a picture, at the picture's own resolution. It is a list of deeds that can be done over again, so that to
// undo needs no copies of a large picture.
const PAINT = '#e3342f', PAINTED = 127;  // opacity above which a pixel is drawn anew: the studio's own rule
const ROWS = 256;  // read at a time

function paperOn(canvas, width, height) {
  const inkOn = (sheet) => Object.assign(sheet, { width, height }).getContext('2d', { willReadFrequently: true });
  let ink = inkOn(canvas);
  const deeds = [], undone = [];
  let stroke = null;

  const spread = (colour, mode, on = ink) => {
    Object.assign(on, { globalCompositeOperation: mode, fillStyle: colour });
    on.fillRect(0, 0, width, height);
  };
  const line = ({ tool, size }, points) => {
    ink.globalCompositeOperation = tool === 'brush' ? 'source-over' : 'destination-out';
    Object.assign(ink, { strokeStyle: PAINT, lineWidth: size, lineCap: 'round', lineJoin: 'round' });
    ink.beginPath();
    points.forEach(([x, y]) => ink.lineTo(x, y));
    if (points.length === 1) ink.lineTo(points[0][0] + 0.01, points[0][1]);  // a dot
    ink.stroke();
  };
  const ways = {
    stroke: (deed) => line(deed, deed.points),
    fill: () => spread(PAINT, 'source-over'),
    clear: () => spread(PAINT, 'destination-out'),
    invert: () => spread(PAINT, 'xor'),
    stamp: ({ mask, tool }) => {
      ink.globalCompositeOperation = tool === 'add' ? 'source-over' : 'destination-out';
      ink.drawImage(painted(mask), 0, 0);
    },
  };
  const copy = () => Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
  const painted = (mask) => {  // what is white in `mask` is paint here
    const paint = copy();
    paint.drawImage(mask, 0, 0, width, height);
    const pixels = paint.getImageData(0, 0, width, height);
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at];
    paint.putImageData(pixels, 0, 0);
    spread(PAINT, 'source-in', paint);
    return paint.canvas;
  };
  const act = (deed) => { deeds.push(deed); undone.length = 0; ways[deed.what](deed); };

  const self = {
    before: null,  // a mask that was painted earlier
    get painting() { return stroke !== null; },
    get undoable() { return deeds.length > 0; },
    get redoable() { return undone.length > 0; },
    begin: (tool, size, point) => { stroke = { what: 'stroke', tool, size, points: [point] }; line(stroke, [point]); },
    draw: (point) => { line(stroke, [stroke.points.at(-1), point]); stroke.points.push(point); },
    end: () => { deeds.push(stroke); undone.length = 0; stroke = null; },
    moveTo: (sheet) => { ink = inkOn(sheet); self.giveUp(); },  // what is under way ends with its canvas
    giveUp: () => { stroke = null; self.again(); },
    act: (what) => act({ what }),
    stamp: (tool, mask) => act({ what: 'stamp', tool, mask }),
    undo: () => { if (deeds.length) undone.push(deeds.pop()); self.again(); },
    redo: () => { if (undone.length) deeds.push(undone.pop()); self.again(); },
    again: () => {
      ways.clear();
      ink.globalCompositeOperation = 'source-over';
      if (self.before) ink.drawImage(self.before, 0, 0);
      deeds.forEach((deed) => ways[deed.what](deed));
    },
    layUnder: (mask) => { self.before = painted(mask); self.again(); },
    share: () => {
      let painted = 0;
      for (let top = 0; top < height; top += ROWS) {
        const { data } = ink.getImageData(0, top, width, Math.min(ROWS, height - top));
        for (let at = 3; at < data.length; at += 4) if (data[at] > PAINTED) painted += 1;
      }
      return painted / (width * height);
    },
    png: () => {  // white where there is paint, black elsewhere
      const mask = copy();
      mask.drawImage(ink.canvas, 0, 0);
      spread('#fff', 'source-in', mask);
      spread('#000', 'destination-over', mask);
      return new Promise((done) => mask.canvas.toBlob(done, 'image/png'));
    },
  };
  return self;
}
