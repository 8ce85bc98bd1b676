// Several labels: digits tick and untick, typing finds one of many.
export default ({ $, $$, mark, typed, focusOn }) => {
  const rows = () => $$("#listed > .choice");
  const box = (row) => $("input", row);
  const name = (row) => $(".choice-name", row).firstChild.textContent.trim();
  const changes = () => $$("#choices .choice:not([for])").filter((row) => box(row).checked !== "proposed" in box(row).dataset);

  function turn(row) {
    box(row).checked = !box(row).checked;
    focusOn(box(row));
    typed();
  }

  return {
    changed: () => changes().length > 0,
    replaced: () => !$$("#choices [data-proposed]").some((input) => input.checked),
    show() {
      const rows = changes();
      $("#changes").hidden = !rows.length;
      $("#diff").replaceChildren(...rows.flatMap((row) => [mark(box(row).checked ? "ins" : "del", name(row)), " "]));
    },
    rest() {
      const first = $("#choices").dataset.first;
      focusOn(box(rows().find((row) => row.dataset.pointer === first) ?? rows()[0] ?? $("#choices")) ?? $("#search"));
    },
    step(by) {
      const all = rows(), at = all.findIndex((row) => row.contains(document.activeElement));
      focusOn(box(all[Math.max(0, Math.min(all.length - 1, at + by))]));
    },
    digit(key) {
      const row = rows().find((each) => $("kbd", each).textContent === key);
      if (row) turn(row);
    },
    enter(event) {
      const row = event.target.closest("#choices .choice");
      if (row) turn(row);
      return Boolean(row);
    },
    // A label found by searching comes into sight, ticked.
    found(row) {
      const chosen = row.control;
      if (!row.matches("[for]")) $("#listed").append(row);
      row.classList.remove("active");
      chosen.checked = true;
      focusOn(chosen);
      typed();
    },
  };
};
