// A document: the field in hand shows its place on the page, and words of the page go into it by click, drag or arrows.
// A PDF shows one page at a time, and its words are read from it, where the item brings none.
import { shape, zooming } from "./sheet.js";

export default ({ $, $$, typed, focusOn, select, tell }) => {
  const pages = $("#pages");
  const overs = new Map($$("[data-page]", pages).map((page) => [Number(page.dataset.page), $("svg.over", page)]));
  const given = JSON.parse(pages.dataset.words).map(([page, x, y, width, height, text]) => ({ page, x, y, width, height, text }));
  const words = []; // those on a page that is there, in their order
  const regions = JSON.parse(pages.dataset.regions);
  const zoomKeys = zooming(pages);
  let field = null; // the part that words go into
  let chunks = []; // what was taken into it: runs of words, [from, to]
  let cursor = null; // { anchor, head }: words marked by arrows, not yet taken
  let dragged = null; // the word where the pointer went down

  function lay(word) {
    const { page, x, y, width, height } = word;
    if (!overs.has(page)) return;
    word.rect = shape("rect", { x, y, width, height, "data-at": words.length }, "word");
    overs.get(page).append(word.rect);
    words.push(word);
  }
  const run = ([from, to]) => words.slice(Math.min(from, to), Math.max(from, to) + 1);
  const control = (part) => $(".part-control > *", part);
  const said = () => chunks.flatMap(run).map((word) => word.text).join(" ");

  function fill() {
    const into = control(field), text = said();
    if (into.tagName === "SELECT") {
      const option = [...into.options].find((each) => each.text.toLowerCase() === text.toLowerCase());
      if (!option) return tell(_("That is none of the choices."));
      into.value = option.value;
    } else if (into.inputMode === "decimal" || into.inputMode === "numeric") {
      // RM 1,234.50 is the number 1234.50.
      const number = text.match(/-?\d[\d,]*(?:\.\d+)?/);
      if (!number) return tell(_("There is no number in that."));
      into.value = number[0].replaceAll(",", "");
    } else into.value = text;
    typed();
    draw();
  }

  function take(from, to, { adds = false } = {}) {
    if (!field?.isConnected) field = $(".part");
    if (!field) return;
    chunks = adds ? [...chunks, [from, to]] : [[from, to]];
    if (field.classList.contains("open")) field.classList.remove("open");
    field.focus({ preventScroll: true });
    fill();
  }

  function clicked(at, event) {
    const last = chunks.at(-1);
    if (event.shiftKey && last) {
      chunks = [...chunks.slice(0, -1), [last[0], at]];
      return fill();
    }
    take(dragged ?? at, at, { adds: chunks.length > 0 && (dragged ?? at) === at });
  }

  // Where the field's value stands: what was taken, what the model says, or the same words on the page.
  function places() {
    if (chunks.length) return chunks.flatMap(run);
    const region = regions[field.dataset.pointer], into = control(field);
    if (region && into.value === field.dataset.original) {
      const [page, x, y, width, height] = region;
      return [{ page, x, y, width, height }];
    }
    const wanted = into.value.split(/\s+/).filter(Boolean);
    if (!wanted.length) return [];
    const at = words.findIndex((_, start) => wanted.every((text, index) => words[start + index]?.text === text));
    return at < 0 ? [] : words.slice(at, at + wanted.length);
  }

  // Words of one line have one frame.
  function joined(found) {
    const lines = [];
    for (const { page, x, y, width, height } of found) {
      const last = lines.at(-1);
      if (last?.page === page && y < last.y + last.height / 2 && last.y < y + height / 2 && x >= last.x) {
        const right = Math.max(last.x + last.width, x + width), bottom = Math.max(last.y + last.height, y + height);
        last.y = Math.min(last.y, y);
        Object.assign(last, { width: right - last.x, height: bottom - last.y });
      } else lines.push({ page, x, y, width, height });
    }
    return lines;
  }

  // At phone width the page itself stays where it is: the field that was touched must not move away.
  function show(place) {
    if (!place) return;
    if (!matchMedia("(max-width: 860px)").matches) return place.scrollIntoView({ block: "nearest", inline: "nearest" });
    const { top } = place.getBoundingClientRect(), frame = pages.getBoundingClientRect();
    if (top < frame.top || top > frame.bottom - 40) pages.scrollTop += top - frame.top - frame.height / 3;
  }

  function draw() {
    for (const old of $$(".region", pages)) old.remove();
    const taken = new Set(chunks.flatMap(run)), marked = new Set(cursor ? run([cursor.anchor, cursor.head]) : []);
    for (const word of words) word.rect.setAttribute("class", `word${taken.has(word) ? " taken" : ""}${marked.has(word) ? " marked-word" : ""}`);
    if (!field?.isConnected) return [];
    const drawn = [];
    for (const { page, x, y, width, height } of joined(places())) {
      const over = overs.get(page);
      if (!over) continue;
      drawn.push(shape("rect", { x: x - 2, y: y - 2, width: width + 4, height: height + 4 }, "region"));
      over.append(drawn.at(-1));
    }
    return drawn;
  }

  function hold(part) {
    if (part === field) return;
    field = part;
    chunks = [];
    cursor = null;
    showField();
  }

  async function showField() {
    const mine = field, page = mine?.isConnected && places()[0]?.page;
    if (page && turning) await turning.to(page);
    if (field === mine) show(draw()[0]);
  }

  function move(by, event) {
    if (!words.length || !field) return;
    const first = places()[0], start = words.indexOf(first) - (by > 0 ? 1 : 0);
    const head = Math.max(0, Math.min(words.length - 1, (cursor?.head ?? (first && words.includes(first) ? start : -1)) + by));
    cursor = { anchor: event.shiftKey && cursor ? cursor.anchor : head, head };
    pages.focus({ preventScroll: true });
    turning?.to(words[head].page);
    draw();
    show(words[head].rect);
  }

  $("#parts").addEventListener("focusin", (event) => { const part = event.target.closest(".part"); if (part) hold(part); });
  $("#parts").addEventListener("input", (event) => { if (event.target.closest(".part") === field) { chunks = []; draw(); } });
  // The field keeps the focus while its words are picked.
  pages.addEventListener("pointerdown", (event) => {
    const at = event.target.closest(".word")?.dataset.at;
    if (at === undefined || event.button) return;
    event.preventDefault();
    dragged = Number(at);
    cursor = null;
  });
  pages.addEventListener("mousedown", (event) => { if (event.target.closest(".word")) event.preventDefault(); });
  pages.addEventListener("pointermove", (event) => {
    if (dragged === null || !(event.buttons & 1)) return;
    const at = event.target.closest?.(".word")?.dataset.at;
    if (at === undefined) return;
    cursor = { anchor: dragged, head: Number(at) };
    draw();
  });
  const drop = () => { if (dragged !== null) { dragged = cursor = null; draw(); } };
  pages.addEventListener("pointerup", (event) => {
    if (dragged === null) return;
    const at = event.target.closest(".word")?.dataset.at, to = at === undefined ? cursor?.head : Number(at);
    cursor = null;
    if (to !== undefined) clicked(to, event);
    drop();
  });
  pages.addEventListener("pointerleave", drop);
  pages.addEventListener("pointercancel", drop);

  let turning = null;
  if (!$("[data-pdf]", pages)) given.forEach(lay);
  else {
    // After the first paint: the fields can be worked on before the PDF is there.
    requestAnimationFrame(() => setTimeout(async () => {
      const { turn } = await import(pages.dataset.pdfPages);
      turning = await turn({ $, $$, pages, overs, given, words, lay, draw, first: () => field?.isConnected && places()[0]?.page });
      showField();
    }));
  }

  return {
    show: draw,
    end: () => turning?.end(),
    step(by) {
      const all = $$(".part");
      select(all[Math.max(0, Math.min(all.length - 1, all.indexOf(field) + by))]);
    },
    enter(event) {
      if (event.target !== pages || !cursor) return false;
      const { anchor, head } = cursor;
      cursor = null;
      take(Math.min(anchor, head), Math.max(anchor, head));
      return true;
    },
    keys: { ...zoomKeys, ArrowRight: (event) => move(1, event), ArrowLeft: (event) => move(-1, event), PageDown: () => turning?.by(1), PageUp: () => turning?.by(-1) },
  };
};
