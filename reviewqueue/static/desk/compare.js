// Candidates side by side: a digit picks the best, or gives the next place.
export default ({ $, $$, mark, typed, focusOn, decideAtOnce }) => {
  const rows = () => $$("#choices > .choice");
  const ranks = () => Boolean($("#choices .place"));
  const select = (row) => $("select", row);
  const words = (said) => said[0] === "none" ? _("No difference") : said.join(", ");
  const proposed = () => $("#choices").dataset.proposed.split(" ").filter(Boolean);

  function said() {
    if (!ranks()) return $$("[name=pick]:checked").map((input) => input.value);
    const placed = rows().filter((row) => select(row).value);
    return placed.sort((a, b) => select(a).value - select(b).value).map((row) => row.dataset.letter);
  }

  const changed = () => said().join() !== proposed().join();

  // The next free place; pressed again, it is free again, and those behind move up. Once all have one, it begins anew.
  function place(row) {
    if (rows().every((each) => select(each).value)) for (const each of rows()) select(each).value = "";
    const was = Number(select(row).value);
    if (was) {
      select(row).value = "";
      for (const each of rows().map(select)) if (Number(each.value) > was) each.value = each.value - 1;
    } else select(row).value = Math.max(0, ...rows().map((each) => Number(select(each).value))) + 1;
  }

  function take(row) {
    if (ranks()) { place(row); return typed(); }
    $("input", row).checked = true;
    focusOn($("input", row));
    typed();
  }

  function digit(key) {
    const row = rows().find((each) => $("kbd", each).textContent === key);
    if (!row) return;
    take(row);
    if (!ranks()) decideAtOnce();
  }

  // A click on a candidate takes it, a digit decides as well; whoever selects its words does neither.
  $("#candidates").addEventListener("click", (event) => {
    const one = event.target.closest(".candidate"), row = one && !event.target.closest("a, summary") && rows().find((each) => each.dataset.letter === one.dataset.letter);
    if (row && getSelection().isCollapsed && !("lost" in $("#main").dataset)) take(row);
  });

  return {
    changed,
    replaced: () => !ranks() || !proposed().some((letter, at) => said()[at] === letter),
    missing: () => ranks() ? rows().some((row) => !select(row).value) && _("Give each a place first.") : !said().length && _("Pick one first."),
    show() {
      const now = said(), was = proposed();
      $("#changes").hidden = !was.length || !changed() || !now.length;
      $("#diff").replaceChildren(mark("del", words(was)), " ", mark("ins", words(now)));
      for (const one of $$(".candidate")) one.classList.toggle("picked", !ranks() && one.dataset.letter === now[0]);
    },
    rest: () => focusOn($("[name=pick]:checked") ?? $("#main")),
    step(by) {
      const all = $$("#choices input, #choices select");
      const at = all.findIndex((field) => field === document.activeElement || field.checked);
      const next = all[Math.max(0, Math.min(all.length - 1, at + by))];
      focusOn(next);
      if (next.type === "radio") { next.checked = true; typed(); }
    },
    digit,
    keys: { 0: () => digit("0") },
  };
};
