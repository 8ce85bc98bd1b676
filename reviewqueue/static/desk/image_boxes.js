// Boxes on a picture: drawn, moved and sized by pointer or arrows, labelled by digits. The rows of the form hold them.
import { pointIn, shape, zooming } from "./sheet.js";

export default ({ $, $$, mark, typed, focusOn, select, addRow, removeRow, remember, tell }) => {
  const pages = $("#pages"), over = $("svg.over", pages), percent = "percent" in pages.dataset;
  const { width: wide, height: high } = over.viewBox.baseVal;
  const given = JSON.parse(pages.dataset.given);
  const buttons = $$("#palette button");
  const colours = new Map(buttons.map((button, at) => [button.dataset.label, at % 6]));
  const zoomKeys = zooming(pages);
  const SIDES = ["x", "y", "width", "height"], SMALLEST = 3;
  let label = null; // of the next box
  let last = null; // the row that was selected last
  let grip = null; // what the pointer holds

  over.classList.add("drawing");
  const rows = () => $$(".box-row");
  const current = () => document.activeElement?.closest?.(".box-row");
  const field = (row, name) => $(`.span-fields > label [name$="/${name}"]`, row);
  const number = (text) => (/^\s*-?\d+(\.\d+)?\s*$/.test(text ?? "") ? Number(text) : NaN);
  const nameOf = (value) => { const found = JSON.parse(value); return typeof found === "string" ? found : value; };
  const scale = (side) => (percent ? (side === "x" || side === "width" ? wide : high) / 100 : 1);
  const stored = (row) => [...SIDES.map((side) => number(field(row, side)?.value)), field(row, "label")?.value ?? ""];
  const same = (a, b) => a.every((value, at) => value === b[at]);

  // In pixels of the picture; null while the row holds no box.
  function boxOf(row) {
    const sides = stored(row).slice(0, 4);
    if (sides.some(Number.isNaN)) return null;
    const [x, y, width, height] = sides.map((side, at) => side * scale(SIDES[at]));
    return width > 0 && height > 0 ? { x, y, width, height, row, label: field(row, "label")?.value } : null;
  }
  const boxes = () => rows().map(boxOf).filter(Boolean);
  const held = () => rows().flatMap((row) => [...SIDES, "label"].map((name) => field(row, name)).filter(Boolean));
  const unlabelled = () => _("no label");
  const inWords = ([x, y, width, height, value]) => _("{label} {width} × {height} at {x}, {y}", {
    label: value ? nameOf(value) : unlabelled(), width: Math.round(width * scale("width")), height: Math.round(height * scale("height")),
    x: Math.round(x * scale("x")), y: Math.round(y * scale("y")),
  });
  const asGiven = given.map(([x, y, width, height, name]) => [x, y, width, height, buttons.find((button) => nameOf(button.dataset.label) === name)?.dataset.label ?? JSON.stringify(name)]);

  function write(row, box) {
    const width = Math.max(SMALLEST, Math.min(box.width, wide)), height = Math.max(SMALLEST, Math.min(box.height, high));
    const kept = { x: Math.max(0, Math.min(box.x, wide - width)), y: Math.max(0, Math.min(box.y, high - height)), width, height };
    for (const side of SIDES) {
      const value = kept[side] / scale(side);
      field(row, side).value = String(percent ? Math.round(value * 100) / 100 : Math.round(value));
    }
  }

  function draw() {
    const chosen = current();
    const size = wide / Math.max(320, over.getBoundingClientRect().width || wide);
    over.replaceChildren();
    for (const box of boxes().sort((a, b) => (a.row === chosen) - (b.row === chosen) || b.width * b.height - a.width * a.height)) {
      const { x, y, width, height, row } = box, colour = box.label ? `c${colours.get(box.label) ?? 0}` : "unnamed";
      const rect = shape("rect", { x, y, width, height }, `box ${colour}${row === chosen ? " current" : ""}`);
      rect.row = row;
      const name = shape("text", { x: x + 3 * size, y: y > 20 * size ? y - 5 * size : y + 15 * size, "font-size": 13 * size }, "box-name");
      name.textContent = box.label ? nameOf(box.label) : unlabelled();
      over.append(rect, name);
      if (row !== chosen) continue;
      for (const [cx, cy] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
        const corner = shape("rect", { x: x + cx * width - 5 * size, y: y + cy * height - 5 * size, width: 10 * size, height: 10 * size }, "corner");
        corner.row = row;
        corner.ends = { cx, cy };
        over.append(corner);
      }
    }
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.label === (chosen ? field(chosen, "label")?.value : label)));
  }

  function fresh(box) {
    const row = addRow($("#add-box"));
    write(row, box);
    if (!label && buttons.length === 1) label = buttons[0].dataset.label;
    if (label) field(row, "label").value = label;
    return row;
  }

  function name(value) {
    label = value;
    const row = current();
    if (!row) { tell(_("The next boxes are {label}.", { label: nameOf(value) })); return draw(); }
    remember(held());
    field(row, "label").value = value;
    typed();
  }

  function nudge(dx, dy, event) {
    const row = current(), box = row && boxOf(row);
    if (!box) return tell(_("Select a box first: j and k go through them, b makes one."));
    remember(held(), "nudge");
    const by = Math.max(1, Math.round(wide / 1000)) * (event.repeat ? 6 : 1);
    if (event.shiftKey) write(row, { ...box, width: box.width + dx * by, height: box.height + dy * by });
    else write(row, { ...box, x: box.x + dx * by, y: box.y + dy * by });
    typed();
  }

  function remove() {
    const row = current();
    if (!row) return;
    removeRow(row);
    last = null;
    select(pages); // and no other box: the next digit is not meant for it
  }

  // -- by pointer -----------------------------------------------------------------------------------------------------

  over.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    const { row, ends } = event.target, from = pointIn(over, event);
    if (row) { focusOn(row); row.scrollIntoView({ block: "nearest" }); }
    grip = { from, row, ends, box: row && boxOf(row), moved: false };
    over.setPointerCapture(event.pointerId);
  });
  over.addEventListener("mousedown", (event) => event.preventDefault()); // the row keeps the focus
  over.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const to = pointIn(over, event), dx = to.x - grip.from.x, dy = to.y - grip.from.y;
    if (!grip.moved && Math.hypot(dx, dy) < SMALLEST) return;
    if (!grip.row) {
      grip.row = fresh({ ...grip.from, width: SMALLEST, height: SMALLEST });
      grip.ends = { cx: 1, cy: 1 };
      grip.box = { ...grip.from, width: 0, height: 0 };
      focusOn(grip.row);
    } else if (!grip.moved) remember(held());
    grip.moved = true;
    const { x, y, width, height } = grip.box;
    if (!grip.ends) write(grip.row, { x: x + dx, y: y + dy, width, height });
    else {
      // The corner across stays where it is.
      const held = { x: x + grip.ends.cx * width + dx, y: y + grip.ends.cy * height + dy };
      const fixed = { x: x + (1 - grip.ends.cx) * width, y: y + (1 - grip.ends.cy) * height };
      write(grip.row, { x: Math.min(held.x, fixed.x), y: Math.min(held.y, fixed.y), width: Math.abs(held.x - fixed.x), height: Math.abs(held.y - fixed.y) });
    }
    draw();
  });
  over.addEventListener("pointerup", () => { if (grip?.moved) typed(); else draw(); grip = null; });
  over.addEventListener("pointercancel", () => { grip = null; });
  $("#palette").addEventListener("mousedown", (event) => event.preventDefault());
  $("#palette").addEventListener("click", (event) => { const button = event.target.closest("button"); if (button) name(button.dataset.label); });
  $("#parts").addEventListener("focusin", () => { last = current() ?? last; draw(); });
  $("#parts").addEventListener("focusout", draw);
  $("#add-box").addEventListener("click", (event) => { event.preventDefault(); event.stopPropagation(); middle(); });

  function middle() {
    const row = fresh({ x: wide * 0.4, y: high * 0.4, width: wide * 0.2, height: high * 0.2 });
    select(row);
    typed();
  }

  const asWas = (row) => asGiven[$("input[type=hidden]", row).value]; // none of a box that was added

  return {
    counts: true,
    changed: () => rows().length !== asGiven.length || rows().some((row, at) => !same(stored(row), asGiven[at]))
      || $$(".box-row .part").some((part) => $(".part-control > *", part).value !== part.dataset.original),
    replaced: () => !rows().map(stored).some((box) => asGiven.some((was) => box[4] === was[4] || same(box.slice(0, 4), was.slice(0, 4)))),
    missing() {
      const bare = rows().find((row) => !field(row, "label")?.value);
      if (bare) select(bare);
      return bare && _("Give each box a label first: a digit, or a label above.");
    },
    show() {
      draw();
      const now = rows().map(stored);
      rows().forEach((row) => { $(".quote", row).textContent = boxOf(row) ? inWords(stored(row)) : "no box yet"; });
      const old = asGiven.filter((box) => !now.some((each) => same(each, box))), fresh = now.filter((box) => !asGiven.some((each) => same(each, box)));
      $("#changes").hidden = !old.length && !fresh.length;
      const said = (kind) => (box) => [mark(kind, inWords(box)), " "];
      $("#diff").replaceChildren(...old.flatMap(said("del")), ...fresh.flatMap(said("ins")));
      const stay = rows().filter(asWas).length;
      $("#so-far").textContent = _("{boxes} boxes, {added} new or moved, {gone} gone.", { boxes: now.length, added: rows().filter((row) => !asWas(row) || !same(stored(row), asWas(row))).length, gone: asGiven.length - stay });
    },
    rest() {
      const first = $("#parts").dataset.first;
      select(last?.isConnected ? last : (first && rows().find((row) => row.dataset.pointer === first)) || rows()[0] || pages);
    },
    step(by) {
      const all = rows(), at = all.indexOf(current());
      select(all[Math.max(0, Math.min(all.length - 1, at + by))]);
    },
    digit(key) {
      const button = buttons.find((each) => $("kbd", each)?.textContent === key);
      if (button) name(button.dataset.label);
    },
    enter(event) {
      if (!event.target.matches(".box-row")) return false;
      $("details", event.target).open = true;
      focusOn(field(event.target, "x"));
      return true;
    },
    keys: {
      ...zoomKeys, b: middle, Delete: remove, Backspace: remove,
      ArrowLeft: (event) => nudge(-1, 0, event), ArrowRight: (event) => nudge(1, 0, event),
      ArrowUp: (event) => nudge(0, -1, event), ArrowDown: (event) => nudge(0, 1, event),
    },
  };
};
