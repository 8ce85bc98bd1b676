// The pages of a document where PDFs are among them: numbered in order, one page of a PDF in sight, turned by keys, by
// buttons, and by the field in hand.
import { opened, TooSlow } from "./pdf.js";

const READ_AHEAD = 30; // pages whose words are looked for without being turned to
const MOST_WORDS = 5000; // of all pages

export async function turn({ $, $$, pages, overs, given, words, lay, draw, first }) {
  const data = pages.dataset, pager = $("#pager"), now = $("#page-now");
  const entries = [...pages.children].map((holder) => ({ holder, address: holder.dataset.pdf, count: 1 }));
  let ended = false, current = 0;

  function told(holder, text) {
    const line = $(".no-sheet", holder);
    $(".pdf-said", line)?.remove();
    const said = document.createElement("span");
    said.className = "pdf-said";
    said.textContent = ` ${text}`;
    line.append(said);
  }
  const failed = (entry, error) => {
    entry.pdf = null;
    $$(".page-of", entry.holder).forEach((page) => page.remove());
    entry.holder.classList.remove("drawn");
    told(entry.holder, error instanceof TooSlow ? data.slow : error.name === "PasswordException" ? data.locked : data.cannot);
  };

  await Promise.all(entries.filter((entry) => entry.address).map(async (entry) => {
    try {
      entry.pdf = await opened(entry.address, { library: data.pdfLibrary, worker: data.pdfWorker, renderer: data.pdfRenderer, assets: new URL(data.pdfAssets, document.baseURI).href });
      entry.count = entry.pdf.count;
    } catch (error) { failed(entry, error); }
  }));
  const end = () => { ended = true; entries.forEach((entry) => entry.pdf?.close()); };
  if (!pages.isConnected) { end(); return { to() {}, by() {}, end }; }

  // A PDF may have moved the pictures behind it.
  const pictures = new Map(overs);
  overs.clear();
  let total = 0;
  for (const entry of entries) {
    entry.start = total + 1;
    if (!entry.address) {
      const over = pictures.get(Number(entry.holder.dataset.page));
      if (over) overs.set(entry.start, over);
      entry.holder.dataset.page = entry.start;
    }
    total += entry.count;
  }
  for (const word of given) if (overs.has(word.page)) lay(word);

  const entryOf = (page) => entries.findLast((entry) => entry.start <= page);
  const prepared = new Map();

  // The page with room for its words, and these; not yet painted.
  function prepare(page) {
    if (!prepared.has(page)) prepared.set(page, making(page));
    return prepared.get(page);
  }

  async function making(page) {
    const { pdf, holder, start } = entryOf(page), { width, height } = await pdf.size(page - start + 1);
    const made = document.createElement("div"), sheet = document.createElement("div"), over = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    made.className = "page-of";
    made.dataset.page = page;
    made.hidden = true;
    sheet.className = "sheet";
    sheet.style.setProperty("--wide", `${1.6 * width}px`);
    over.setAttribute("class", "over");
    over.setAttribute("viewBox", `0 0 ${width} ${height}`);
    over.setAttribute("preserveAspectRatio", "none");
    over.setAttribute("aria-hidden", "true");
    sheet.append(over);
    made.append(sheet);
    holder.append(made);
    overs.set(page, over);
    const mine = given.filter((word) => word.page === page);
    const found = mine.length ? mine : await pdf.words(page - start + 1, Math.max(0, MOST_WORDS - words.length));
    for (const word of found) lay({ ...word, page });
    return made;
  }

  async function to(wanted) {
    const page = Math.max(1, Math.min(total, wanted)), entry = entryOf(page);
    if (ended || page === current) return;
    current = page;
    pager.hidden = total < 2;
    now.value = page;
    $("#page-count").textContent = total;
    if (!entry.pdf) return entry.holder.scrollIntoView({ block: "nearest" });
    try {
      const made = await prepare(page);
      if (current !== page || ended) return;
      const sheet = $(".sheet", made), canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", data.named.replace("{page}", page));
      const painted = entry.pdf.paint(page - entry.start + 1, canvas, pages.clientWidth);
      $("canvas", sheet)?.remove();
      sheet.prepend(canvas);
      for (const other of $$(".page-of", entry.holder)) {
        other.hidden = other !== made;
        if (other !== made) $("canvas", other)?.remove();
      }
      entry.holder.classList.add("drawn");
      pages.dispatchEvent(new Event("turned"));
      if (entries.length > 1) made.scrollIntoView({ block: "nearest" });
      draw();
      await painted;
      canvas.dataset.painted = "";
    } catch (error) { if (error.name !== "RenderingCancelledException" && !ended) failed(entry, error); }
  }

  // For fields whose words stand on a page that nobody has turned to.
  async function readAhead() {
    for (const entry of entries.filter((each) => each.pdf)) {
      for (let page = entry.start; page < entry.start + Math.min(entry.count, READ_AHEAD) && !ended && entry.pdf && words.length < MOST_WORDS; page++) {
        try { await prepare(page); } catch (error) { if (error instanceof TooSlow && !ended) failed(entry, error); }
      }
    }
    draw();
  }

  const by = (step) => { to(current + step); };
  for (const button of $$("[data-turn]", pager)) button.addEventListener("click", () => by(Number(button.dataset.turn)));
  now.addEventListener("change", () => { const page = parseInt(now.value, 10); if (page) to(page); now.value = current; });
  await to(first() || 1);
  readAhead();
  return { to, by, end };
}
