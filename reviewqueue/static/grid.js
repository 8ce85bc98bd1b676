// The grid: keys, and one row at a time sent and swapped in. The same form works without this file. What the server
// sends is put in as it is: there is no markup here.
"use strict";
(() => {
  const form = document.getElementById("grid");
  if (!form) return;
  const LONGEST = 60000; // bytes that a browser sends of a page that is left
  const CAME_BACK_AFTER = 120; // seconds without input after which the leases are no longer renewed
  const rows = () => [...form.querySelectorAll("tbody[data-claim]")];
  const row = (element) => element?.closest?.("tbody[data-claim]");
  const isOpen = (one) => one.dataset.state === "open" || one.dataset.state === "refused";
  const control = (one, name) => one.querySelector(`[name="${one.dataset.claim}:${name}"]`);
  const shut = (one) => "shut" in one.dataset;
  const canUndo = Number(form.dataset.undoSeconds) > 0;
  const unkept = new Set(); // rows with something typed that the server has not said it keeps
  const refused = new Set(); // of these, where it has said that it does not, or not answered
  const saving = new WeakMap();
  const underWay = new WeakMap();
  const spent = new WeakMap();
  let lastSaved = null;
  let touchedAt = Date.now();

  function current() {
    return row(document.activeElement) ?? form.querySelector("tbody[aria-current]") ?? rows().find(isOpen) ?? rows()[0];
  }

  function go(one) {
    if (!one) return;
    for (const other of rows()) other.removeAttribute("aria-current");
    one.setAttribute("aria-current", "true");
    one.focus({ preventScroll: true });
    one.scrollIntoView({ block: "nearest" });
    if (!spent.has(one)) spent.set(one, Date.now());
  }

  function count() {
    const open = rows().filter(isOpen).length;
    document.getElementById("grid-state").textContent = rows().length === 1 ? _("{open} of {all} row open", { open, all: 1 }) : _("{open} of {all} rows open", { open, all: rows().length });
    document.getElementById("grid-more").classList.toggle("primary", open === 0);
  }

  function say(one, text) {
    let told = one.querySelector(".grid-told");
    if (!told) {
      told = document.createElement("p");
      told.className = "grid-told small warning";
      told.setAttribute("role", "status");
      one.querySelector(".grid-do, .grid-item").append(told);
    }
    told.textContent = text;
  }

  // The row's own fields, under the names that they have at the desk where `plain`.
  function fieldsOf(one, plain = false) {
    const body = new URLSearchParams();
    const prefix = `${one.dataset.claim}:`;
    for (const [name, value] of new FormData(form)) {
      if (name === "csrf_token") body.append(name, value);
      else if (name.startsWith(prefix) && !(plain && name === `${prefix}do`)) body.append(plain ? name.slice(prefix.length) : name, value);
    }
    return body;
  }

  async function post(address, body) {
    for (let wait = 1; ; wait = Math.min(wait * 2, 10)) {
      try {
        const answer = await fetch(address, { method: "POST", body, headers: { "X-Desk": "1" }, credentials: "same-origin" });
        if (answer.status < 502) return answer;
      } catch { /* offline: again below */ }
      document.getElementById("grid-state").textContent = _("Offline. What you typed is on this page; sending again by itself.");
      await new Promise((resolve) => { setTimeout(resolve, wait * 1000); addEventListener("online", resolve, { once: true }); });
    }
  }

  async function put(one, answer) {
    if (answer.status === 401 || answer.status === 403) {
      say(one, _("You have been signed out. Sign in in another tab, then save again: the row still has what you typed."));
      one.removeAttribute("aria-busy");
      await renewToken();
      return null;
    }
    const page = new DOMParser().parseFromString(`<table>${await answer.text()}</table>`, "text/html");
    const fresh = page.querySelector("tbody[data-claim]");
    if (!fresh) {
      say(one, _("That did not work ({status}). What you typed is on this page: save again.", { status: answer.status }));
      one.removeAttribute("aria-busy");
      changed(one);
      return null;
    }
    const had = one.contains(document.activeElement) || one.hasAttribute("aria-current");
    one.replaceWith(fresh);
    unkept.delete(one);
    refused.delete(one);
    count();
    if (had) go(fresh);
    return fresh;
  }

  async function save(one, verdict = "") {
    if (!one || shut(one) || one.ariaBusy) return;
    const choice = control(one, "choice");
    const wanted = verdict || (control(one, "do")?.value === "reject" ? "reject" : "decide");
    if (wanted !== "reject" && choice && !choice.value) { say(one, _("Choose first.")); return; }
    clearTimeout(saving.get(one));
    const body = fieldsOf(one);
    body.set(`${one.dataset.claim}:do`, wanted);
    body.set(`${one.dataset.claim}:spent_seconds`, ((Date.now() - (spent.get(one) ?? Date.now())) / 1000).toFixed(1));
    body.set("only", one.dataset.claim);
    one.setAttribute("aria-busy", "true");
    const after = rows()[rows().indexOf(one) + 1];
    const fresh = await put(one, await post(form.action, body));
    if (fresh?.dataset.state !== "saved") return;
    lastSaved = fresh;
    if (fresh.hasAttribute("aria-current")) go(after && isOpen(after) ? after : rows().find((other) => isOpen(other) && !shut(other)) ?? fresh);
  }

  async function undo(one) {
    const button = one?.querySelector("[data-undo-row]");
    if (!button || one.ariaBusy) return;
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
    one.setAttribute("aria-busy", "true");
    const answer = await post(button.formAction, body);
    if (answer.status === 409) { one.removeAttribute("aria-busy"); button.remove(); return say(one, await answer.text()); }
    const fresh = await put(one, answer);
    if (fresh) go(fresh);
  }

  function choose(one, digit) {
    const select = control(one, "choice");
    const option = select?.querySelector(`option[data-key="${digit}"]`);
    if (!option || select.disabled) return;
    select.value = option.value;
    changed(one);
    const verdict = select.value === select.dataset.original ? "approve" : "override";
    const asks = [...(control(one, "reason")?.options ?? [])].some((reason) => (reason.dataset.requiredFor ?? "").split(" ").includes(verdict));
    // As at the desk: a digit decides at once where it can be taken back and nothing else is asked for.
    if (canUndo && !asks) save(one);
  }

  function reject(one) {
    control(one, "do").value = "reject";
    say(one, _("Rejecting: a reason, then Enter twice."));
    control(one, "reason").focus();
  }

  // -- drafts and leases --------------------------------------------------------------------------------------------

  function changed(one) {
    if (shut(one)) return;
    const differs = [...one.querySelectorAll("[data-original]")].some((field) => field.value !== field.dataset.original);
    one.classList.toggle("changed", differs);
    for (const field of one.querySelectorAll("[data-original]")) field.closest("td").classList.toggle("changed", field.value !== field.dataset.original);
    unkept.add(one);
    keepIn(700, one);
  }

  function keepIn(wait, one) {
    clearTimeout(saving.get(one));
    saving.set(one, setTimeout(() => { if (!one.ariaBusy) keep(one, wait); }, wait));
  }

  // Sends what is typed into the row as its draft, until the server says that it has it. The browser goes on sending
  // when the page is left; what is too long for that is asked about then, see `beforeunload`.
  async function keep(one, waited = 700) {
    const body = fieldsOf(one, true).toString();
    if (!one.isConnected || !unkept.has(one) || underWay.get(one) === body) return;
    clearTimeout(saving.get(one));
    underWay.set(one, body);
    try {
      const answer = await fetch(`${one.dataset.address}/draft`, { method: "POST", body: new URLSearchParams(body), headers: { "X-Desk": "1" }, credentials: "same-origin", keepalive: body.length < LONGEST });
      if (!answer.ok) throw answer;
      if (fieldsOf(one, true).toString() === body) unkept.delete(one);
      if (refused.delete(one)) say(one, _("What you typed is kept as a draft now."));
    } catch (why) {
      refused.add(one);
      const signedOut = why.status === 401 || why.status === 403;
      if (signedOut) say(one, _("Not kept yet: you have been signed out. Sign in in another tab; what you typed is on this page alone, and is sent again by itself."));
      else if (why.status) say(one, _("Not kept yet: the server answers {status}. What you typed is on this page alone; sending it again by itself.", { status: why.status }));
      else say(one, _("Not kept yet: offline. What you typed is on this page alone; sending it again by itself."));
      if (signedOut) await renewToken();
      if (unkept.has(one)) keepIn(Math.min(60000, Math.max(4000, 2 * waited)), one);
    } finally { if (underWay.get(one) === body) underWay.delete(one); }
  }

  const keepAll = () => { for (const one of unkept) keep(one); };

  // Whoever has signed in again, in another tab, has a session whose forms have another token.
  async function renewToken() {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.href, { credentials: "same-origin" })).text(), "text/html");
      const token = page.querySelector("[name=csrf_token]");
      if (token) form.elements.csrf_token.value = token.value;
    } catch { /* offline: with the next answer */ }
  }

  // What is typed is at the desk before the desk is.
  async function open(one, address) {
    if (unkept.has(one)) await keep(one);
    location.assign(address);
  }

  async function renew() {
    if (Date.now() - touchedAt > CAME_BACK_AFTER * 1000 || !rows().some(isOpen)) return;
    try {
      const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
      const answer = await fetch(form.dataset.renewal, { method: "POST", body, headers: { "X-Desk": "1" }, credentials: "same-origin" });
      if (!answer.ok) return;
      const mine = new Set((await answer.json()).claims);
      for (const one of rows()) {
        if (isOpen(one) && !one.ariaBusy && !mine.has(one.dataset.claim)) say(one, _("Your time on this row ran out: somebody else may have it. Saving it keeps what you typed as a draft."));
      }
    } catch { /* offline: the next time */ }
  }
  setInterval(renew, Math.max(5, Math.min(60, Number(form.dataset.lease) / 3)) * 1000);

  // -- events -------------------------------------------------------------------------------------------------------

  form.addEventListener("input", (event) => { touchedAt = Date.now(); const one = row(event.target); if (one) changed(one); });
  form.addEventListener("focusin", (event) => {
    const one = row(event.target);
    if (!one) return;
    for (const other of rows()) other.toggleAttribute("aria-current", other === one);
    if (!spent.has(one)) spent.set(one, Date.now());
  });
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    const one = row(button);
    if (!one) return void unkept.clear(); // all that is typed goes with the form
    event.preventDefault();
    if (button.matches("[data-undo-row]")) undo(one);
    else save(one);
  });
  form.addEventListener("change", (event) => {
    if (!event.target.name?.endsWith(":do")) return;
    if (event.target.value === "decide") save(row(event.target));
    if (event.target.value === "reject") reject(row(event.target));
  });

  form.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]"), one = row(link);
    if (!one || !unkept.has(one) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(one, link.href);
  });
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") keepAll(); });
  addEventListener("pagehide", keepAll);
  addEventListener("beforeunload", (event) => {
    keepAll();
    if ([...unkept].some((one) => refused.has(one) || fieldsOf(one, true).toString().length >= LONGEST)) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    touchedAt = Date.now();
    if (event.repeat && !event.key.startsWith("Arrow")) return;
    const field = event.target.closest?.("input:not([type=hidden]), textarea, select");
    const inGrid = row(event.target);
    if (field) {
      if (!inGrid) return;
      if (event.key === "Escape") { event.preventDefault(); go(inGrid); }
      // In a field of one line Enter closes it, as in a spreadsheet; the next Enter saves.
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); save(inGrid); }
      else if (event.key === "Enter" && field.tagName !== "TEXTAREA") { event.preventDefault(); go(inGrid); }
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return void save(current());
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("button, a, summary, .menu")) return;
    const one = current();
    if (!one) return;
    const at = rows().indexOf(one);
    if (event.key === "ArrowDown") go(rows()[at + 1]);
    else if (event.key === "ArrowUp") go(rows()[at - 1]);
    else if (/^[1-9]$/.test(event.key)) choose(one, event.key);
    else if (event.key === "Enter") save(one);
    else if (event.key === "u") undo(one.querySelector("[data-undo-row]") ? one : lastSaved);
    else if (event.key === "x" && !shut(one)) reject(one);
    else if (event.key === "o" && one.dataset.state !== "saved") open(one, one.dataset.address);
    else if (event.key === "g") document.getElementById("grid-more").click();
    else return;
    event.preventDefault();
  });

  go(rows().find((one) => isOpen(one) && !shut(one)) ?? rows()[0]);
})();
