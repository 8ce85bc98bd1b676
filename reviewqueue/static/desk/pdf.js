// A PDF as pages to draw over. It is read in one worker and painted in another, so that none keeps the desk from
// working, and each step has its time. Nothing in it runs: the part of the library that would is not here.
const SECONDS = 20;
const MOST_PIXELS = 6e6, NARROWEST = 800, WIDEST = 2000, LONGEST = 8000; // of a canvas
const MOST_LETTERS = 200; // of a word

export class TooSlow extends Error {}

export async function opened(address, { library, worker, renderer, assets }) {
  const [answer, pdfjs] = await Promise.all([fetch(address, { credentials: "same-origin" }), import(library)]);
  if (!answer.ok) throw new Error(String(answer.status));
  const { getDocument, GlobalWorkerOptions, Util } = pdfjs;
  GlobalWorkerOptions.workerSrc = worker;
  GlobalWorkerOptions.rendererSrc = renderer;
  const task = getDocument({
    data: new Uint8Array(await answer.arrayBuffer()), verbosity: 0, useWasm: false, wasmUrl: `${assets}wasm/`, cMapUrl: `${assets}cmaps/`,
    standardFontDataUrl: `${assets}standard_fonts/`, enableXfa: false, maxImageSize: 1e8, canvasMaxAreaInBytes: 4 * MOST_PIXELS,
  });
  const close = () => task.destroy().catch(() => { /* its workers are gone */ });
  // Whatever takes too long is stopped with its workers: they may be busy for ever.
  const timed = (promise) => {
    let timer;
    const late = new Promise((_, refuse) => { timer = setTimeout(() => { close(); refuse(new TooSlow()); }, 1000 * SECONDS); });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };
  let file;
  try { file = await timed(task.promise); } catch (error) { close(); throw error; }
  let painting = null;

  // In points from the top left of the page as it is shown.
  const sizeOf = (page) => page.getViewport({ scale: 1 });

  function boxOf({ transform, width, dir }, viewport, from, to) {
    const [a, b, c, d, left, base] = Util.transform(viewport.transform, transform);
    const along = Math.hypot(a, b) || 1, high = Math.hypot(c, d) || 1, wide = width * viewport.scale * viewport.userUnit;
    const [start, end] = (dir === "rtl" ? [1 - to, 1 - from] : [from, to]).map((part) => part * wide / along);
    const corners = [[start, 0.8], [end, 0.8], [start, -0.2], [end, -0.2]].map(([on, up]) => [left + on * a + up * c, base + on * b + up * d]);
    const xs = corners.map(([x]) => x), ys = corners.map(([, y]) => y), x = Math.min(...xs), y = Math.min(...ys);
    return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y, high };
  }

  // Letters that were set apart in the file are one word all the same.
  const goesOn = (last, box) => last && Math.abs(last.y - box.y) < box.high * 0.3 && Math.abs(box.x - last.x - last.width) < box.high * 0.15;

  function add(words, last, text, box) {
    if (![box.x, box.y, box.width, box.height].every(Number.isFinite)) return null;
    if (goesOn(last, box) && last.text.length < MOST_LETTERS) {
      const right = Math.max(last.x + last.width, box.x + box.width), bottom = Math.max(last.y + last.height, box.y + box.height);
      last.text += text;
      last.y = Math.min(last.y, box.y);
      Object.assign(last, { width: right - last.x, height: bottom - last.y });
      return last;
    }
    words.push({ text: text.slice(0, MOST_LETTERS), x: box.x, y: box.y, width: box.width, height: box.height });
    return words.at(-1);
  }

  async function wordsOn(page, most) {
    const viewport = sizeOf(page), reader = page.streamTextContent().getReader(), words = [];
    let last = null;
    for (;;) {
      const { value, done } = await reader.read();
      for (const item of value?.items ?? []) {
        if (words.length >= most) break;
        for (const { 0: text, index } of item.str.slice(0, 10000).matchAll(/\S+/g)) {
          if (index > 0) last = null;
          last = add(words, last, text, boxOf(item, viewport, index / item.str.length, (index + text.length) / item.str.length));
        }
        if (item.hasEOL || /\s$/.test(item.str)) last = null;
      }
      if (!done && words.length < most) continue;
      if (!done) reader.cancel(new Error("enough")).catch(() => { /* it had ended */ });
      return words.slice(0, most);
    }
  }

  return {
    count: file.numPages,
    close,
    async size(number) {
      const { width, height } = sizeOf(await timed(file.getPage(number)));
      return { width, height };
    },
    words: async (number, most) => timed(file.getPage(number).then((page) => wordsOn(page, most))),
    // Only the last one asked for is painted.
    async paint(number, canvas, wide) {
      painting?.cancel();
      const page = await timed(file.getPage(number)), { width, height } = sizeOf(page);
      const scale = Math.min(Math.min(WIDEST, Math.max(NARROWEST, 2 * wide * devicePixelRatio)) / width, LONGEST / height, Math.sqrt(MOST_PIXELS / (width * height)));
      const viewport = page.getViewport({ scale });
      canvas.width = Math.max(1, Math.floor(viewport.width));
      canvas.height = Math.max(1, Math.floor(viewport.height));
      painting = page.render({ canvas, viewport });
      await timed(painting.promise);
    },
  };
}
