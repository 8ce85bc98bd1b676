// Spans of a text: words taken by arrows or the mouse, labelled by digits. Offsets count code points, as the server's do.
export default ({ $, $$, mark, typed, focusOn, select, open, addRow, removeRow, remember, tell }) => {
  const text = $("#marked");
  const length = Number(text.dataset.length);
  const given = JSON.parse(text.dataset.given).map(([start, end, label]) => ({ start, end, label }));
  const colours = new Map($$("#palette button").map((button, at) => [nameOf(button.dataset.label), at % 6]));
  // The runs as the server drew them: a hidden character is one, however its name reads.
  const runs = $$(".run", text).map((run) => ({
    at: Number(run.dataset.at), chars: run.matches(".hidden-char") ? null : [...run.textContent], name: run.textContent, title: run.title,
  }));
  const chars = Array(length).fill("\r");
  for (const run of runs) (run.chars ?? ["\u0000"]).forEach((char, at) => { chars[run.at + at] = char; });
  const words = [];
  chars.forEach((char, at) => {
    if (/\s/u.test(char)) return;
    const last = words.at(-1), letter = /[\p{L}\p{N}\p{M}_]/u;
    if (last?.end === at && letter.test(char) && letter.test(chars[at - 1])) last.end = at + 1;
    else words.push({ start: at, end: at + 1 });
  });
  let cursor = null; // { anchor, head }: words taken by keys

  function nameOf(value) { const label = JSON.parse(value); return typeof label === "string" ? label : value; }
  const rows = () => $$(".span-row");
  const field = (row, name) => $$(".part", row).find((part) => part.dataset.pointer.endsWith(`/${name}`))?.querySelector(".part-control > *");
  const whole = (value) => (/^\s*\d+\s*$/.test(value ?? "") ? Number(value) : NaN);
  const quote = (span) => chars.slice(span.start, span.end).join("");
  const same = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;

  function spanOf(row) {
    const value = field(row, "label")?.value;
    const span = { start: whole(field(row, "start")?.value), end: whole(field(row, "end")?.value), label: value ? nameOf(value) : "", row };
    return span.label && span.start < span.end && span.end <= length ? span : null;
  }
  const spans = () => rows().map(spanOf).filter(Boolean);

  function taken() {
    const found = selected();
    if (found || !cursor) return found;
    const [a, b] = [cursor.anchor, cursor.head].sort((one, other) => one - other);
    return { start: words[a].start, end: words[b].end };
  }

  // What the mouse has selected, without white space at its ends.
  function selected() {
    const selection = getSelection();
    if (selection.isCollapsed || !selection.rangeCount || !text.contains(selection.anchorNode) || !text.contains(selection.focusNode)) return null;
    const range = selection.getRangeAt(0);
    let start = offset(range.startContainer, range.startOffset), end = offset(range.endContainer, range.endOffset);
    while (start < end && /\s/u.test(chars[start])) start++;
    while (end > start && /\s/u.test(chars[end - 1])) end--;
    return start < end ? { start, end } : null;
  }

  function offset(node, within) {
    const run = node.nodeType === Node.TEXT_NODE && node.parentElement.closest(".run");
    if (run) return Number(run.dataset.at) + (run.matches(".hidden-char") ? Number(within > 0) : [...node.data.slice(0, within)].length);
    const point = document.createRange();
    point.setStart(node, within);
    const next = $$(".run", text).find((each) => point.comparePoint(each.firstChild, 0) >= 0);
    return next ? Number(next.dataset.at) : length;
  }

  function element(kind, className, children, data = {}) {
    const made = document.createElement(kind);
    made.className = className;
    made.append(...children);
    Object.assign(made.dataset, data);
    return made;
  }

  function draw() {
    const now = spans(), at = cursor && taken();
    const edges = [...new Set([0, length, ...now.flatMap((span) => [span.start, span.end]), ...(at ? [at.start, at.end] : [])])].sort((a, b) => a - b);
    const current = document.activeElement?.closest?.(".span-row");
    const children = [];
    let first = 0;
    for (let index = 0; index + 1 < edges.length; index++) {
      const [start, end] = [edges[index], edges[index + 1]], drawn = [];
      while (first < runs.length && runs[first].at + (runs[first].chars?.length ?? 1) <= start) first++;
      for (let one = first; one < runs.length && runs[one].at < end; one++) {
        const { at: place, chars: letters, name, title } = runs[one], from = Math.max(start, place);
        const run = element("span", letters ? "run" : "run hidden-char", [letters ? letters.slice(from - place, end - place).join("") : name], { at: from });
        if (title) run.title = title;
        drawn.push(run);
      }
      const over = now.filter((span) => span.start <= start && end <= span.end);
      if (at && at.start <= start && end <= at.end) drawn.splice(0, drawn.length, element("span", "taken", [...drawn]));
      if (!over.length) { children.push(...drawn); continue; }
      const tags = over.filter((span) => span.end === end).map((span) => element("span", "tag", [span.label]));
      const marked = element("mark", `span c${colours.get(over[0].label) ?? 0}${over.length > 1 ? " many" : ""}${over.some((span) => span.row === current) ? " current" : ""}`, [...drawn, ...tags]);
      marked.row = over.at(-1).row;
      children.push(marked);
    }
    text.replaceChildren(...children);
  }

  function label(value) {
    const where = taken(), row = document.activeElement?.closest?.(".span-row");
    const twin = where && spans().find((span) => span.start === where.start && span.end === where.end);
    const name = (labelled) => { const into = field(labelled, "label"); remember([into]); into.value = value; };
    if (twin) name(twin.row);
    else if (where) {
      // Where spans may not overlap, the new one takes the place of those that it touches.
      const touched = "overlap" in text.dataset ? [] : spans().filter((span) => span.start < where.end && where.start < span.end);
      const made = addRow($("#add-span"));
      for (const span of touched) span.row.remove();
      field(made, "start").value = where.start;
      field(made, "end").value = where.end;
      field(made, "label").value = value;
      getSelection().removeAllRanges();
      cursor = cursor && { anchor: cursor.head, head: cursor.head };
      focusOn(text);
    } else if (row) name(row);
    else return tell(_("Select words first: ← and → go through them, Shift takes in more."));
    typed();
  }

  function move(by, event) {
    if (!words.length) return;
    const row = document.activeElement?.closest?.(".span-row"), span = row && spanOf(row);
    if (span && !cursor) {
      // From a row: its span is taken, and Shift goes on from there.
      const ends = [words.findIndex((word) => word.end > span.start), words.findLastIndex((word) => word.start < span.end)];
      cursor = { anchor: ends[by > 0 ? 0 : 1], head: ends[by > 0 ? 1 : 0] };
    }
    const head = Math.max(0, Math.min(words.length - 1, (cursor?.head ?? (by > 0 ? -1 : words.length)) + by));
    cursor = { anchor: event.shiftKey && cursor ? cursor.anchor : head, head };
    getSelection().removeAllRanges();
    focusOn(text);
    draw();
    $(".taken", text)?.scrollIntoView({ block: "nearest" });
  }

  function remove() {
    const row = document.activeElement?.closest?.(".span-row");
    const where = taken(), found = row ?? (where && spans().find((span) => span.start < where.end && where.start < span.end)?.row);
    if (!found) return;
    removeRow(found);
    select(text); // and no other row: the next digit is not meant for it
  }

  text.addEventListener("click", (event) => { if (getSelection().isCollapsed) select(event.target.closest("mark")?.row); });
  $("#palette").addEventListener("mousedown", (event) => event.preventDefault()); // the selection stays
  $("#palette").addEventListener("click", (event) => { const button = event.target.closest("button"); if (button) label(button.dataset.label); });
  $("#parts").addEventListener("focusin", () => { cursor = null; draw(); });

  return {
    counts: true,
    changed() {
      const now = spans();
      return now.length !== given.length || now.length !== rows().length || now.some((span, at) => !same(span, given[at]))
        || $$(".span-row .part").some((part) => $(".part-control > *", part).value !== part.dataset.original);
    },
    replaced: () => !spans().some((span) => given.some((was) => (was.start === span.start) + (was.end === span.end) + (was.label === span.label) > 1)),
    show() {
      draw();
      const now = spans();
      for (const row of rows()) $(".quote", row).textContent = spanOf(row) ? quote(spanOf(row)) : "";
      const gone = given.filter((span) => !now.some((each) => same(each, span))), fresh = now.filter((span) => !given.some((each) => same(each, span)));
      $("#changes").hidden = !gone.length && !fresh.length;
      const said = (kind) => (span) => [mark(kind, `${quote(span)} · ${span.label}`), " "];
      $("#diff").replaceChildren(...gone.flatMap(said("del")), ...fresh.flatMap(said("ins")));
      $("#so-far").textContent = _("{marked} marked, {fresh} new, {gone} gone.", { marked: now.length, fresh: fresh.length, gone: gone.length });
    },
    rest() {
      const first = $("#parts").dataset.first;
      select((first && rows().find((row) => row.dataset.pointer === first)) || text);
    },
    step(by) {
      const all = rows(), at = all.findIndex((row) => row.contains(document.activeElement));
      select(all[Math.max(0, Math.min(all.length - 1, at + by))]);
    },
    digit(key) {
      const button = $$("#palette button").find((each) => $("kbd", each)?.textContent === key);
      if (button) label(button.dataset.label);
    },
    enter(event) {
      if (event.target.matches(".span-row")) open($(".part", event.target));
      return event.target.matches(".span-row");
    },
    keys: { ArrowRight: (event) => move(1, event), ArrowLeft: (event) => move(-1, event), Delete: remove, Backspace: remove },
  };
};
