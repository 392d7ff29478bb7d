// Draws one job from its event stream. The stream tells the story so far first, so opening it again loses nothing.
const LAST = ['finished', 'failed', 'cancelled'];
const RETRY_MS = 1500;

export default function ({ parentElement, data, setTriggerValue }) {
  const at = (name) => parentElement.querySelector('.' + name);
  const several = data.count > 1;
  const stages = data.count / data.each;

  // Which picture of all, or of which stage of a chain.
  const place = (index) => {
    const stage = stages > 1 ? `Stage ${Math.floor(index / data.each) + 1} of ${stages}` : '';
    const picture = data.each > 1 ? `Picture ${index % data.each + 1} of ${data.each}` : '';
    return [stage, picture].filter(Boolean).join(' · ');
  };
  let source, retry, over = false, reached = 0, provider = '';

  const say = (words, left = '') => {
    if (at('status').textContent !== words) at('status').textContent = words;
    at('left').textContent = left;
  };

  const advance = (part) => {
    const percent = Math.round(100 * part);
    at('bar').classList.toggle('unsure', part <= 0);
    at('bar').firstElementChild.style.width = percent + '%';
    at('bar').setAttribute('aria-valuenow', percent);
  };

  const duration = (seconds) => seconds >= 90 ? `about ${Math.round(seconds / 60)} min left`
    : seconds >= 1 ? `about ${Math.round(seconds)} s left` : '';

  const size = (bytes) => bytes >= 1e9 ? (bytes / 1e9).toFixed(1) + ' GB'
    : bytes >= 1e6 ? (bytes / 1e6).toFixed(1) + ' MB' : Math.round(bytes / 1e3) + ' kB';

  const on = {
    queued(event) {
      reached = 0;
      advance(0);
      say(event.position > 1 ? `Number ${event.position} in the queue` : 'Next in the queue');
    },
    fetching(event) {
      advance(event.total ? event.done / event.total : 0);
      say('Downloading the model', [`${size(event.done)} of ${size(event.total)}`,
        event.bytes_per_second ? size(event.bytes_per_second) + '/s' : '', duration(event.seconds_left ?? 0)]
        .filter(Boolean).join(' · '));
    },
    loading(event) {
      advance(Math.max(reached, event.done / event.total / 20));
      const part = event.component.replaceAll('_', ' ');
      say(event.done < event.total ? `Loading the model: ${part}` : 'The model is loaded', `${event.done} of ${event.total}`);
    },
    asked(event) {
      provider = event.provider;
      reached = event.image_index / data.count;
      advance(reached);
      at('bar').classList.add('unsure');  // nothing is heard of how far it is
      const doing = event.crowded ? `Waiting for other tasks of the account at ${provider}` : `${provider} is drawing`;
      at('bar').setAttribute('aria-valuetext', doing);
      at('tray').style.setProperty('--raw', 0);
      const again = event.attempt > 1 ? `asked again, attempt ${event.attempt}` : '';
      const many = event.count > 1 ? `${event.count} pictures at once` : place(event.image_index);
      say(`${doing} …`, [many, again].filter(Boolean).join(' · '));
    },
    step(event) {
      reached = (event.image_index + event.step / event.total) / data.count;
      advance(reached);
      const picture = place(event.image_index);
      at('bar').setAttribute('aria-valuetext', `${picture}${picture && ' · '}step ${event.step} of ${event.total}`);
      at('tray').style.setProperty('--raw', 1 - event.step / event.total);
      say(picture || 'Developing',
          [`step ${event.step} of ${event.total}`, duration(event.seconds_left)].filter(Boolean).join(' · '));
    },
    preview(event) {
      const base64 = event.jpeg.replaceAll('-', '+').replaceAll('_', '/');
      at('preview').src = 'data:image/jpeg;base64,' + base64;
      at('preview').hidden = false;
      at('tray').classList.add('developing');
    },
    saved({ image }) {
      if (provider) advance((image.index + 1) / data.count);
      if (!several || at('done').querySelector(`[data-id="${image.id}"]`)) return;
      const picture = new Image();
      Object.assign(picture, { src: `${data.images}/${image.id}/file`, alt: `${data.prompt}, picture ${image.index + 1}` });
      picture.dataset.id = image.id;
      at('done').append(picture);
    },
    warned(event) {
      at('warning').textContent = event.message;
      at('warning').hidden = false;
    },
    finished() { advance(1); say('Done'); },
    failed() { say('Failed'); },
    cancelled() { say('Cancelled'); },
  };

  const close = () => { clearTimeout(retry); source?.close(); };

  const end = (how) => {
    over = true;
    close();
    setTriggerValue('ended', how);
  };

  const open = () => {
    source = new EventSource(data.job + '/events');
    for (const type of Object.keys(on)) {
      source.addEventListener(type, (message) => {
        on[type](JSON.parse(message.data));
        if (LAST.includes(type)) end(type);
      });
    }
    source.onerror = () => {
      if (over) return;
      close();
      say('The connection is lost; trying again …');
      retry = setTimeout(async () => {
        const answer = await fetch(data.job).catch(() => null);
        answer?.status === 404 ? end('unknown') : open();
      }, RETRY_MS);
    };
  };

  at('prompt').textContent = data.prompt;
  at('source').hidden = !data.source;
  if (data.source) at('source').src = data.source;
  at('tray').classList.toggle('several', several);
  at('preview').alt = `Preview: ${data.prompt}`;
  at('sheet').style.aspectRatio = `${data.width} / ${data.height}`;
  at('tray').style.setProperty('--shape', data.width / data.height);
  at('tray').style.setProperty('--side', data.width + 'px');
  open();
  return close;
}
