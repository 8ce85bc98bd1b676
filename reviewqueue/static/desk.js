// The desk: keys, drafts, leases, and the next item without a page load. Everything here only makes faster what the
// same forms do without it. What the server sends is swapped in as it is: there is no markup in this file.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const kept = {
    get: (key) => { try { return localStorage.getItem(`rq:${key}`); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem(`rq:${key}`, value); } catch { /* full or forbidden: the server keeps drafts */ } },
    drop: (key) => { try { localStorage.removeItem(`rq:${key}`); } catch { /* as above */ } },
  };
  const SIGNED_OUT = new Error("signed out");
  const RESTED = 5 * 60000; // milliseconds without input that count as a break
  const CAME_BACK_AFTER = 120; // seconds without input after which the lease is no longer renewed
  const JUST_CAME = 250; // milliseconds after it was painted in which nobody can have read an item
  const IN_SIGHT = 150; // milliseconds that a field is selected and in sight before it counts as looked at; less than the above
  const RESTING = 2000; // milliseconds without Enter before Enter begins the next queue
  const MOST_BACK = 50; // acts that can be taken back
  let desk = null; // what is known of the page in hand; a new object with every item
  let busy = false;

  // -- pages ------------------------------------------------------------------------------------------------------------

  function swap(html, address, refused = false) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const main = $("main", page), worked = Boolean(desk?.main);
    if (!main) return location.assign(address);
    document.title = page.title;
    document.body.className = page.body.className;
    $("header.top").replaceWith($("header.top", page));
    $(".flashes")?.remove();
    const flashes = $(".flashes", page);
    if (flashes) $("header.top").after(flashes);
    $("main").replaceWith(main);
    if (main.dataset.task !== desk?.task) scrollTo(0, 0); // at phone width: another item begins at its top
    if (address) history.replaceState(null, "", address);
    start(refused);
    if (worked && !desk) holdEnter();
    tellWhatCame();
  }

  // What is pressed in the rhythm of the items before is not meant for one that has just come, nor for the next queue.
  const fresh = () => document.body.classList.contains("fresh");
  let resting;
  function holdEnter() {
    document.body.classList.add("resting");
    clearTimeout(resting);
    resting = setTimeout(() => document.body.classList.remove("resting"), RESTING);
  }

  // To those who do not see the page change. What is in hand, and where the page says something itself, that first.
  function tellWhatCame() {
    const words = (desk?.main && covered() ? [".why"] : [".flashes", ".notice", ".why > :first-child", ".main-text, .turn:last-child .turn-text", "h1"]).map((selector) => $(selector)?.textContent.trim().slice(0, 300));
    $("#told").textContent = words.filter(Boolean).map((text) => text.replace(/[.\s]+$/, "")).join(". ").replace(/\s+/g, " ");
  }

  // Asks the server as the desk does. The session may have ended, or another tab may have begun a new one, whose forms
  // have another token: then the page is loaded again, and what was typed is restored from this browser.
  async function ask(address, body) {
    const answer = await fetch(address, { method: body ? "POST" : "GET", body, headers: { "X-Desk": "1" }, credentials: "same-origin" });
    if (answer.status === 401) throw SIGNED_OUT;
    return answer;
  }

  function signInAgain() {
    if (!desk?.main) return location.assign(location.href);
    desk.signedOut = true;
    if (!$("#signed-out").open) $("#signed-out").showModal();
  }

  function notBusy() {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }

  // By person: somebody else may sign in at this browser and be given the same task.
  const draftKey = (page) => `draft:${page.person}:${page.task}`;

  function keepDraft(page, body) {
    const left = new URLSearchParams(body);
    left.delete("csrf_token");
    kept.set(draftKey(page), left.toString());
  }

  async function send(button, extra = {}) {
    const form = button?.closest("#handing") ? button.form : $("#decision") ?? button?.form;
    if (!form || busy) return;
    const mine = desk;
    const address = button?.getAttribute("formaction") || form.action;
    const body = form.id === "decision" ? formData() : new URLSearchParams(new FormData(form));
    if (button?.name) body.set(button.name, button.value);
    for (const [name, value] of Object.entries(extra)) body.set(name, value);
    busy = true;
    document.body.setAttribute("aria-busy", "true");
    clearTimeout(mine?.saving);
    for (let wait = 1; ; wait = Math.min(wait * 2, 10)) {
      try {
        const answer = await ask(address, body);
        if (answer.status >= 502) throw new Error("not reachable");
        if (answer.status === 403 && mine?.main) { keepDraft(mine, formData()); return location.reload(); }
        const html = await answer.text();
        const here = answer.status === 409 || answer.status === 422;
        if (mine?.main && (answer.ok || answer.status === 409)) kept.drop(draftKey(mine)); // a lost lease: the server has it
        notBusy();
        return swap(html, answer.headers.get("X-Location") ?? (here ? location.href : answer.url), here);
      } catch (error) {
        if (mine?.main) keepDraft(mine, form.id === "decision" ? body : formData());
        if (error === SIGNED_OUT) { notBusy(); return signInAgain(); }
        // Sent again until it arrives: a decision is known by its claim, and a repetition changes nothing.
        say(_("Offline. What you typed is kept in this browser; sending again by itself."), "warning");
        await new Promise((resolve) => { setTimeout(resolve, wait * 1000); addEventListener("online", resolve, { once: true }); });
      }
    }
  }

  function formData() {
    desk.spent += desk.active ? (Date.now() - desk.active) / 1000 : 0;
    desk.active = Date.now();
    const body = new URLSearchParams(new FormData($("#decision")));
    body.set("spent_seconds", desk.spent.toFixed(1));
    if (desk.tellsSeen) {
      body.set("tells_seen", "1");
      body.delete("seen");
      for (const pointer of desk.seen) body.append("seen", pointer);
    }
    return body;
  }

  function say(text, kind = "muted") {
    const state = $("#draft-state");
    if (!state) return;
    state.textContent = text;
    state.className = `small state ${kind}`;
    delete state.dataset.told;
  }

  // What must be read: it stays in sight until something is done about it.
  function tell(text) {
    say(text, "warning");
    if ($("#draft-state")) $("#draft-state").dataset.told = "";
  }
  const told = () => $("#draft-state")?.dataset.told !== undefined;

  // -- drafts and the lease -----------------------------------------------------------------------------------------------

  function typed() {
    touched();
    if (!desk || desk.lost) return;
    if (told()) say("");
    const part = document.activeElement.closest?.("[data-pointer]");
    if (part) look(part);
    if (!changed()) $("[name=started_blank]").value = "";
    desk.dirty = true;
    keepDraft(desk, formData());
    clearTimeout(desk.saving);
    desk.saving = setTimeout(saveDraft, 700);
    showChanges();
  }

  async function saveDraft() {
    const mine = desk;
    if (!mine?.dirty || busy) return;
    mine.dirty = false;
    try {
      const answer = await ask(`${mine.claim}/draft`, formData());
      if (answer.status === 403) return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      if (mine !== desk) return;
      if (!mine.dirty) kept.drop(draftKey(mine));
      mine.savedAt = Date.now();
      sayAge();
    } catch (error) {
      if (mine !== desk) return;
      mine.dirty = true;
      if (error === SIGNED_OUT) return signInAgain();
      say(_("Offline. The draft is kept in this browser; trying again."), "warning");
      mine.saving = setTimeout(saveDraft, 4000);
    }
  }

  function sayAge() {
    if (!desk?.savedAt || desk.dirty || told()) return;
    const seconds = Math.round((Date.now() - desk.savedAt) / 1000);
    say(seconds < 60 ? _("Draft saved {seconds} s ago.", { seconds }) : _("Draft saved {minutes} min ago.", { minutes: Math.floor(seconds / 60) }));
  }

  function touched() {
    if (!desk) return;
    const now = Date.now();
    if (now - desk.input > 60000) desk.active = now; // a pause of a minute is no work on this item
    desk.input = now;
  }

  async function renew() {
    const mine = desk;
    mine.renewing = true;
    try {
      const answer = await ask(`${mine.claim}/renewal`, new URLSearchParams({ csrf_token: $("[name=csrf_token]").value }));
      if (mine !== desk) return;
      if (answer.status === 409) return leaseLost();
      if (answer.ok) mine.until = Date.now() + 1000 * Number(answer.headers.get("X-Lease-Seconds"));
    } catch (error) { if (error === SIGNED_OUT && mine === desk) signInAgain(); /* offline: asked again at the next tick */ } finally { mine.renewing = false; }
  }

  async function leaseLost() {
    const mine = desk;
    mine.lost = true;
    if (mine.dirty) await saveDraft();
    if (mine.signedOut) return;
    try {
      const answer = await ask(mine.claim);
      if (mine === desk && answer.ok) swap(await answer.text(), mine.claim);
    } catch { mine.lost = false; }
  }

  function tick() {
    const undo = $("#undo");
    proposeBreak(Date.now());
    if (undo) {
      const left = Math.ceil((undo.until - Date.now()) / 1000);
      if (left <= 0) (undo.closest(".undo") ?? undo).remove();
      else $("#undo-left").textContent = _("{seconds} s", { seconds: left });
    }
    if (!desk || desk.lost || desk.signedOut) return;
    if (desk.savedAt) sayAge();
    const now = Date.now();
    const worked = (now - desk.input) / 1000 < CAME_BACK_AFTER;
    if (now >= desk.until) { if (!busy && navigator.onLine !== false) leaseLost(); } else if (worked && !desk.renewing && desk.until - now < 1000 * desk.lease * 2 / 3) renew();
  }

  // After so long at the desk without a rest; also over a reload, and whatever is in hand.
  function proposeBreak(now) {
    const chip = $("#break");
    if (!chip || !desk) return;
    const [began, seen] = (kept.get("shift") ?? `${now} ${now}`).split(" ").map(Number), last = Math.max(seen, desk.input);
    const since = now - seen > RESTED || now - last > RESTED ? now : began;
    kept.set("shift", `${since} ${now - last > RESTED ? now : last}`);
    const due = now - since >= 60000 * chip.dataset.minutes;
    if (due && chip.hidden) $("#told").textContent = chip.firstElementChild.textContent;
    chip.hidden = !due;
  }

  // -- what changed --------------------------------------------------------------------------------------------------------

  const lines = (text) => text.replace(/\r\n?/g, "\n");
  const control = (part) => $(".part-control > *", part);
  const saidOf = (field, value) => field?.tagName === "SELECT" ? [...field.options].find((option) => option.value === value)?.text ?? value : value;

  function changed() {
    if (desk.editor?.changed) return desk.editor.changed();
    if (desk.view === "choice") return !$("[name=choice]:checked")?.hasAttribute("data-proposed");
    if (desk.view === "text") { const text = $("#text"); return lines(text.value) !== lines(text.dataset.original); }
    return rowsChanged() || $$(".part").some(differs);
  }

  // A number is the same however many zeros it ends with.
  function differs(part) {
    const field = control(part), isNumber = /^(decimal|numeric)$/.test(field.inputMode);
    const plainly = (text) => isNumber ? text.trim().replace(/^(-?\d+)\.(?=\d)(\d*?)0*$/, (all, whole, rest) => rest ? `${whole}.${rest}` : whole) : lines(text);
    return plainly(field.value) !== plainly(part.dataset.original);
  }

  // The rows that the AI gave are 0, 1, 2 …; of one that was added the key begins with n.
  const keyOf = (row) => $("input[type=hidden]", row).value;
  const rowsChanged = () => $$(".list-rows").some((list) => [...list.children].map(keyOf).join() !== [...Array(Number(list.dataset.given)).keys()].join());

  function showChanges() {
    if (!desk?.main) return;
    const button = $("#decide span");
    if (button) button.textContent = changed() ? $("#decide").dataset.save : $("#decide").dataset.approve;
    if ($("#decide")?.hasAttribute("data-blank") && button) button.textContent = $("#decide").dataset.save;
    if (desk.view === "text") showDiff();
    if ($("#parts")) showParts();
    if ($("#start-blank")) $("#start-blank").textContent = blanked() ? $("#start-blank").dataset.back : $("#start-blank").dataset.blank;
    if (desk.asking) $("#decide span").textContent = desk.asking === "reject" ? _("Reject") : $("#decide").dataset.save;
    desk.editor?.show?.();
    read();
  }

  const plain = (text) => text.replace(/\s+/g, " ").trim();

  // Markdown as it reads: the server draws it, as it draws everything.
  function read() {
    const preview = $("#preview"), mine = desk;
    if (!preview?.open) return;
    const { value, defaultValue } = preview.dataset.of ? $(`[name="${CSS.escape(preview.dataset.of)}"]`) : $("#text");
    clearTimeout(mine.reading);
    if (value === (preview.read ?? defaultValue)) return;
    mine.reading = setTimeout(async () => {
      try {
        const answer = await ask(preview.dataset.address, new URLSearchParams({ csrf_token: $("[name=csrf_token]").value, text: value }));
        if (!answer.ok || mine !== desk) return;
        preview.read = value;
        $("#read").replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
        preview.hidden = plain($("#read").textContent) === plain(value);
      } catch { /* offline: the text itself is in sight */ }
    }, 300);
  }

  function mark(kind, text) {
    const element = document.createElement(kind);
    element.textContent = text;
    return element;
  }

  function showParts() {
    let count = { changed: 0, confirmed: 0, unseen: 0 };
    for (const part of $$(".part")) {
      const field = control(part), is = lines(field.value), was = lines(part.dataset.original);
      const other = differs(part);
      const empty = (text) => saidOf(field, text) || _("nothing");
      if (other || part.classList.contains("changed")) {
        $(".part-value", part).replaceChildren(...(other && was && field.tagName === "TEXTAREA" ? diffed(was, is) : other ? [mark("del", empty(was)), " ", mark("ins", empty(is))] : [was ? empty(was) : mark("span", _("not given"))]));
      }
      part.classList.toggle("changed", other);
      part.classList.toggle("seen", desk.seen.has(part.dataset.pointer));
      count[other ? "changed" : desk.seen.has(part.dataset.pointer) ? "confirmed" : "unseen"] += 1;
    }
    if (!desk.editor?.counts) $("#so-far").textContent = _("{changed} changed, {confirmed} looked at, {unseen} not looked at.", count);
  }

  function showDiff() {
    const text = $("#text"), was = lines(text.dataset.original), is = lines(text.value);
    $("#changes").hidden = was === is || !was;
    $("#editor").classList.toggle("changed", was !== is);
    if (was === is || !was) return;
    $("#diff").replaceChildren(...diffed(was, is));
  }

  const wordsOf = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const diffed = (was, is) => wordDiff(wordsOf(was), wordsOf(is)).map(([kind, part]) => kind === "same" ? part : mark(kind, part));

  // Longest common run of words; what is alike at both ends is set aside first, and a huge middle is shown as replaced.
  function wordDiff(a, b) {
    let head = 0, tail = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) head++;
    while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    const x = a.slice(head, a.length - tail), y = b.slice(head, b.length - tail), runs = [];
    const add = (kind, text) => { if (!text) return; const last = runs.at(-1); if (last?.[0] === kind) last[1] += text; else runs.push([kind, text]); };
    add("same", a.slice(0, head).join(""));
    if (x.length * y.length > 1e6) { add("del", x.join("")); add("ins", y.join("")); } else {
      const w = y.length + 1, table = new Uint32Array((x.length + 1) * w);
      for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) {
        table[i * w + j] = x[i] === y[j] ? table[(i + 1) * w + j + 1] + 1 : Math.max(table[(i + 1) * w + j], table[i * w + j + 1]);
      }
      let i = 0, j = 0;
      while (i < x.length || j < y.length) {
        if (i < x.length && j < y.length && x[i] === y[j]) { add("same", x[i++]); j++; } else if (j >= y.length || (i < x.length && table[(i + 1) * w + j] >= table[i * w + j + 1])) add("del", x[i++]); else add("ins", y[j++]);
      }
    }
    add("same", a.slice(a.length - tail).join(""));
    return runs;
  }

  // -- deciding --------------------------------------------------------------------------------------------------------------

  function verdict() {
    if (!changed()) return "approve";
    if (desk.editor?.replaced) return desk.editor.replaced() && !$(".rest") ? "override" : "edit";
    return desk.view === "choice" || $("[name=started_blank]").value ? "override" : "edit";
  }

  const reason = () => $("[name=reason]:checked")?.value;
  const reasonDue = (kind) => !reason() && (kind === "reject" || !("blind" in desk.main.dataset) && $$("[name=reason]").some((input) => (input.dataset.requiredFor ?? "").split(" ").includes(kind)));

  const covered = () => "covered" in desk.main.dataset && !$("#reveal").checked;

  function reveal() {
    const box = $("#reveal");
    if (!box?.closest("label").offsetParent) return;
    box.checked = !box.checked;
    rest();
  }

  function decide() {
    if (covered()) return tell(_("It is covered: v shows it."));
    if (desk.asking && reason()) return answerReason($("[name=reason]:checked"));
    if (desk.asking) return askReason(desk.asking, _("Choose a reason first."));
    if (desk.lost) return $(".deck .primary")?.click();
    if (desk.view === "choice" && !$("[name=choice]:checked")) return tell(_("Pick a label first."));
    const missing = desk.editor?.missing?.();
    if (missing) return tell(missing);
    if (reasonDue(verdict())) return askReason(verdict());
    if (noteDue()) return askNote();
    if (desk.tellsSeen && !desk.sure) {
      const unseen = doubtful().filter((part) => !desk.seen.has(part.dataset.pointer));
      if (unseen.length) return askDoubt(unseen);
    }
    send($("#decide"));
  }

  function reject() {
    if (reasonDue("reject")) return askReason("reject");
    if (noteDue()) return askNote();
    send($("#reject"));
  }

  const noteDue = () => $("[name=reason]:checked")?.dataset.note !== undefined && !$("#comment").value.trim();
  function askNote() {
    focusOn($("#comment"));
    tell(_("This reason needs a note."));
  }

  // The note says itself whether it may be left out.
  function showNote() {
    const note = $("#comment");
    if (note) note.placeholder = $("[name=reason]:checked")?.dataset.note !== undefined ? note.dataset.due : note.dataset.free;
  }

  function askReason(kind, why = "") {
    desk.asking = kind;
    $("#reasons").classList.add("asking");
    $("#reason-ask").textContent = kind === "reject" ? _("· why reject? Choose one") : _("· a reason is needed: choose one");
    $("#reject").hidden = kind === "reject";
    if ($("#next-doubtful")) $("#next-doubtful").hidden = true;
    $("#stop-asking").hidden = false;
    showChanges();
    if (why) tell(why);
    focusOn($("[name=reason]"));
    $("#reasons").scrollIntoView({ block: "nearest" });
  }

  // Nothing stays of a question that was not answered.
  function cancelAsking() {
    const chosen = reason();
    for (const input of $$("[name=reason]")) input.checked = false;
    desk.reason = null;
    stopAsking();
    if (chosen) typed();
    rest();
  }

  function stopAsking() {
    desk.asking = null;
    $("#reasons")?.classList.remove("asking");
    $("#reason-ask").textContent = "";
    $("#reject").hidden = false;
    if ($("#next-doubtful")) $("#next-doubtful").hidden = false;
    $("#stop-asking").hidden = true;
    if (told()) say("");
    showNote();
    showChanges();
  }

  function answerReason(input) {
    const kind = desk.asking;
    input.checked = true;
    desk.reason = input;
    showNote();
    const missing = $("#suggested_label");
    if (input.value === "no_label_fits" && missing && !missing.value && document.activeElement !== missing) return focusOn(missing);
    if (noteDue()) return askNote();
    stopAsking();
    typed();
    if (kind === "reject") reject(); else decide();
  }

  function askDoubt(unseen) {
    const nameOf = (element) => (element.firstChild ?? element).textContent.trim();
    const names = unseen.map((part) => `${nameOf($(".quote, .part-head label, .choice-name", part))} (${Number(part.dataset.confidence).toFixed(2)})`);
    $("#doubt-text").textContent = _("{names}: the model was not sure, and nobody has looked.", { names: names.join(", ") });
    $("#doubt").showModal();
    focusOn($("#doubt-look"));
  }

  // -- selecting and opening ---------------------------------------------------------------------------------------------------

  const isField = (element) => element?.matches?.("textarea, select, input:not([type=radio], [type=checkbox], [type=hidden])");
  function focusOn(element) { element?.focus({ preventScroll: false }); }

  function select(part) {
    if (!part) return;
    focusOn(part.matches("label") ? $("input", part) : part);
    part.scrollIntoView({ block: "nearest" });
  }

  // Looked at is what was selected and in sight, not behind the deck, for long enough.
  function watch(part) {
    stopWatching();
    if (!part || desk.seen.has(part.dataset.pointer)) return;
    const mine = desk;
    mine.watcher = new IntersectionObserver((entries) => {
      const { intersectionRect: shown, boundingClientRect: whole } = entries.at(-1);
      clearTimeout(mine.looking);
      if (shown.height > 0 && shown.height >= Math.min(whole.height, 96) * 0.9) mine.looking = setTimeout(() => { if (mine === desk) look(part); }, IN_SIGHT);
    }, { rootMargin: `0px 0px -${$(".deck").offsetHeight}px 0px`, threshold: [0, 0.25, 0.5, 0.75, 0.9, 1] });
    mine.watcher.observe(part);
  }

  function stopWatching() {
    desk.watcher?.disconnect();
    clearTimeout(desk.looking);
  }

  function look(part) {
    if (!desk || !part?.dataset.pointer || desk.seen.has(part.dataset.pointer)) return;
    desk.seen.add(part.dataset.pointer);
    for (let group = part.closest("[data-group]"); group; group = group.parentElement.closest("[data-group]")) desk.seen.add(group.dataset.group);
    part.classList.add("seen");
    if ($("#parts")) showParts();
  }

  function open(part) {
    part.classList.add("open");
    const field = part.matches(".editor") ? $("#text") : control(part);
    focusOn(field);
    if (field.select && field.tagName === "INPUT") field.select();
  }

  function leave() {
    const part = document.activeElement.closest?.(".part");
    if (part) { part.classList.remove("open"); focusOn(part); } else { document.activeElement.blur(); rest(); }
  }

  function rest() {
    if (desk?.editor?.rest) return desk.editor.rest();
    if (desk?.view === "choice") focusOn($("#choices > .choice [name=choice]:checked") ?? $("#main")); else focusOn($("#editor") ?? desk?.part ?? $("#main"));
  }

  function step(by) {
    if (desk.editor?.step) desk.editor.step(by);
    else if (desk.view === "choice") {
      const all = $$("#choices > .choice [name=choice]");
      const at = all.findIndex((input) => input.checked);
      const next = all[Math.max(0, Math.min(all.length - 1, at + by))];
      if (next) { next.checked = true; focusOn(next); picked(); }
    } else {
      const all = $$(".part");
      select(all[Math.max(0, Math.min(all.length - 1, all.indexOf(document.activeElement) + by))]);
    }
  }

  const doubtful = () => $$(".doubtful[data-pointer]").sort((a, b) => a.dataset.confidence - b.dataset.confidence);

  // The most doubtful that nobody has looked at; once all are, from one to the next.
  function nextDoubtful() {
    const all = doubtful(), at = all.findIndex((part) => part.contains(document.activeElement));
    if (!all.length) return tell(_("Nothing here is doubtful."));
    const unseen = all.filter((part, place) => place !== at && !desk.seen.has(part.dataset.pointer));
    select(unseen[0] ?? all[(at + 1) % all.length]);
  }

  // The box says what is chosen of the labels that are not in sight; nothing of a search that was left.
  function showPicked() {
    const search = $("#search");
    if (!search) return;
    const other = $("#others [name=choice]:checked");
    search.value = other ? $(".choice-name", other.closest(".choice")).textContent : "";
    search.classList.toggle("picked", Boolean(other));
  }

  function picked() {
    showPicked();
    typed();
  }

  function digit(key) {
    if (desk.asking || document.activeElement?.name === "reason") {
      const input = $$("[name=reason]").filter((each) => each.value)[key - 1];
      if (input) { if (desk.asking) answerReason(input); else { input.checked = true; typed(); } }
      return;
    }
    if (desk.editor?.digit) return desk.editor.digit(key);
    if (desk.view !== "choice") return;
    const row = $$("#choices > .choice").find((choice) => $("kbd", choice)?.textContent === key);
    const input = row && $("[name=choice]", row);
    if (!input) return;
    input.checked = true;
    focusOn(input);
    picked();
    decideAtOnce();
  }

  function decideAtOnce() {
    if (Number(desk.main.dataset.undoSeconds) > 0 && !reasonDue(verdict())) decide();
  }

  // -- the search over all labels ------------------------------------------------------------------------------------------------

  function filter() {
    const words = $("#search").value.toLowerCase().split(/[\s_]+/).filter(Boolean);
    let shown = 0;
    for (const choice of $$("#others .choice")) {
      const text = choice.textContent.toLowerCase();
      choice.hidden = !words.every((word) => text.includes(word));
      choice.classList.toggle("active", !choice.hidden && shown === 0);
      if (!choice.hidden) shown++;
    }
    $(".none-fits").hidden = shown > 0;
    openSearch(true);
  }

  function openSearch(yes) {
    if (!yes) showPicked();
    $(".search")?.classList.toggle("open", yes);
    $("#search")?.setAttribute("aria-expanded", String(yes));
  }

  function searchKey(event) {
    const shown = $$("#others .choice").filter((choice) => !choice.hidden);
    const at = shown.findIndex((choice) => choice.classList.contains("active"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = shown[Math.max(0, Math.min(shown.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))];
      shown[at]?.classList.remove("active");
      next?.classList.add("active");
      next?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      if (event.repeat) return event.preventDefault();
      if (shown[at] && desk.editor?.found) {
        openSearch(false);
        desk.editor.found(shown[at]);
      } else if (shown[at]) {
        shown[at].control.checked = true;
        openSearch(false);
        picked();
        rest();
      }
    } else return;
    event.preventDefault();
  }

  // -- keys ------------------------------------------------------------------------------------------------------------------------

  // From its beginning, however long it is.
  function show(dialog) {
    dialog.showModal();
    $(".primary", dialog).focus({ preventScroll: true });
    dialog.scrollTop = 0;
  }

  const keysOn = () => kept.get("keys") !== "off";
  const LETTERS = {
    x: reject,
    s: () => send($("#skip")),
    e: () => { if ($("#escalate")) { $("#escalation").showModal(); focusOn($("#escalation-note")); } },
    h: handOn,
    c: () => $("#say")?.click(),
    p: () => send($("#pause")),
    n: () => focusOn($("#comment")),
    v: reveal,
    r: () => { const why = $("#reveal_why"); if (why && !why.value.trim()) focusOn(why); else if ($("#reveal-parts")) send($("#reveal-parts")); },
    m: () => { $(".message").open = true; focusOn($("#message")); },
    d: () => desk.tellsSeen && nextDoubtful(),
    "/": () => focusOn($("#search")),
    i: () => $("#show-instructions") && show($("#instructions")),
    "?": () => show($("#keys")),
    j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
  };

  addEventListener("keydown", (event) => {
    touched();
    const { key, target } = event;
    if (event.repeat && (key === "Enter" || key.length === 1) && !isField(target)) return event.preventDefault();
    if (event.repeat && key === "Enter" && (event.ctrlKey || event.metaKey)) return event.preventDefault();
    if (event.isComposing || event.altKey) return;
    const dialog = $("dialog[open]");
    const finish = key === "Enter" && (event.ctrlKey || event.metaKey);
    if (dialog) {
      if (dialog.id === "escalation" && finish) { event.preventDefault(); $("#escalation-send").click(); }
      if (dialog.id === "handing") handingKey(event, finish);
      return;
    }
    if (busy) { if (!isField(target)) event.preventDefault(); return; }
    if (!desk?.main) {
      if (key === "z" && !isField(target) && !event.ctrlKey && !event.metaKey && keysOn() && $("#undo")) { event.preventDefault(); send($("#undo")); }
      if (key === "Enter" && !finish && keysOn() && (target === document.body || target.id === "main") && $("#start")) {
        event.preventDefault();
        if (document.body.classList.contains("resting")) holdEnter(); else send($("#start"));
      }
      return;
    }
    if (desk.loading) return;
    const decides = finish || (key === "Enter" && desk.view === "choice") || key === "s" || (/^\d$/.test(key) && (desk.view === "choice" || desk.view === "compare"));
    if (fresh() && decides && !isField(target)) return event.preventDefault();
    if (finish) {
      event.preventDefault();
      return decide();
    }
    if ((event.ctrlKey || event.metaKey) && key === "z" && !event.shiftKey && !isField(target) && desk.past.length && !desk.lost) {
      event.preventDefault();
      return takeBack();
    }
    if (event.ctrlKey || event.metaKey) return;
    if (isField(target)) return fieldKey(event);
    if (key === "Escape") {
      if (desk.asking) return cancelAsking();
      if (document.activeElement?.name === "reason") rest();
      return;
    }
    if (key === "Enter") return enter(event);
    if (!keysOn() && key !== "ArrowDown" && key !== "ArrowUp") return;
    if (key === "z" && $("#undo")) { event.preventDefault(); return send($("#undo")); }
    if (desk.lost) return;
    if (/^[1-9]$/.test(key)) { event.preventDefault(); return digit(key); }
    const act = desk.editor?.keys?.[key] ?? LETTERS[key];
    if (!act || (target.name === "reason" && key.startsWith("Arrow"))) return;
    event.preventDefault();
    act(event);
  });

  function enter(event) {
    const { target } = event;
    if (target.matches("button, a, summary")) return;
    event.preventDefault();
    if (target.name === "reason") return (desk.asking || desk.view === "choice") && decide();
    if (target.matches("[name=gone]")) return target.click();
    if (target.matches(".part")) return open(target);
    if (desk.editor?.enter?.(event)) return;
    if (desk.lost || desk.view === "choice") { if (keysOn()) decide(); }
  }

  function fieldKey(event) {
    const { key, target } = event;
    if (target.id === "search" && key !== "Escape") return searchKey(event);
    if (key === "Escape") {
      event.preventDefault();
      openSearch(false);
      return desk.asking ? cancelAsking() : leave();
    }
    if (key !== "Enter" || target.tagName === "TEXTAREA") return;
    event.preventDefault();
    if (event.repeat) return;
    if (target.id === "suggested_label" && desk.asking) { const kind = desk.asking; stopAsking(); return kind === "reject" ? reject() : decide(); }
    leave();
  }

  // -- pointer and form events --------------------------------------------------------------------------------------------------------

  addEventListener("click", (event) => {
    touched();
    const { target } = event;
    if (!(target instanceof Element)) return;
    const button = target.closest("button, a");
    if (button?.id === "undo" || button?.id === "start") { event.preventDefault(); return send(button); }
    if (!desk?.main || desk.loading) return; // until the editor is there, the form works by itself
    if (button) return clicked(button, event);
    const gone = target.closest(".remove");
    if (gone) {
      event.preventDefault();
      return removeRow(gone.closest(".list-row"));
    }
    const listed = target.closest("#others [for]")?.control;
    if (listed) {
      event.preventDefault();
      listed.checked = true;
      openSearch(false);
      focusOn(listed);
      return typed();
    }
    const chosen = target.closest("#reasons .pick")?.querySelector("input");
    if (chosen) {
      event.preventDefault();
      if (desk.asking) return answerReason(chosen);
      const was = chosen === desk.reason;
      const pick = () => { chosen.checked = !was; desk.reason = was ? null : chosen; showNote(); typed(); };
      return target === chosen ? setTimeout(pick) : pick(); // a click on the button itself is undone once this returns
    }
    const part = target.closest(".part:not(.editor)");
    if (part && !part.classList.contains("open") && !desk.lost) open(part);
    if (!target.closest(".search")) openSearch(false);
  });

  function clicked(button, event) {
    if (fresh() && (button.id === "decide" || button.id === "skip")) return event.preventDefault(); // the second of a double click
    const acts = {
      decide, reject, "show-keys": LETTERS["?"], "show-instructions": LETTERS.i, escalate: LETTERS.e, "hand-on": handOn, "next-doubtful": nextDoubtful, "start-blank": startBlank, "stop-asking": cancelAsking,
      "escalation-send": () => { $("#escalation").close(); send($("#escalate")); },
      "doubt-look": () => { $("#doubt").close(); nextDoubtful(); },
      "doubt-save": () => { $("#doubt").close(); desk.sure = true; decide(); },
    };
    if (button.hasAttribute("data-close")) { event.preventDefault(); return button.closest("dialog").close(); }
    if (button.hasAttribute("data-add")) {
      event.preventDefault();
      const row = addRow(button);
      typed();
      return open($(".part", row));
    }
    if (acts[button.id]) { event.preventDefault(); return acts[button.id](); }
    if (button.closest("#handing") && button.type === "submit") {
      event.preventDefault();
      if (!button.formNoValidate && !button.form.reportValidity()) return;
      $("#handing").close();
      return send(button);
    }
    if (button.type === "submit" && button.form?.id === "decision") { event.preventDefault(); send(button); }
  }

  // The page of all the ways to hand on, in a dialog.
  async function handOn() {
    const mine = desk, link = $("#hand-on");
    if (!link) return;
    try {
      const answer = await ask(link.href), page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const ways = $("#handing-ways", page);
      if (mine !== desk) return;
      if (!ways) return location.assign(link.href);
      $("#handing").replaceChildren(ways);
      $("#handing").showModal();
    } catch (error) { if (error === SIGNED_OUT) signInAgain(); else say(_("Offline. Try again in a moment."), "warning"); }
  }

  function handingKey(event, finish) {
    const { key, target } = event;
    if (finish && target.form) { event.preventDefault(); return $("[type=submit]", target.form)?.click(); }
    if (isField(target) || event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
    const way = $(`#handing [data-way="${CSS.escape(key)}"]`);
    if (!way) return;
    event.preventDefault();
    if (way.matches("button")) way.click(); else focusOn(way);
  }

  // -- taking back ------------------------------------------------------------------------------------------------------------------------

  // What rows there are and what `fields` hold, before something is done to them. The same `act`, going on, is one.
  function remember(fields = [], act = "") {
    const now = Date.now(), last = desk.past.at(-1);
    if (act && last?.act === act && now - last.at < 1000) { last.at = now; return; }
    desk.past.push({ act, at: now, rows: $$(".list-rows").map((list) => [list, [...list.children]]), values: fields.map((field) => [field, field.value]), blank: $("[name=started_blank]").value });
    if (desk.past.length > MOST_BACK) desk.past.shift();
  }

  function takeBack() {
    const { rows, values, blank } = desk.past.pop(), held = document.activeElement;
    const back = rows.flatMap(([, each]) => each).find((row) => !row.isConnected);
    for (const [list, each] of rows) list.replaceChildren(...each);
    for (const [field, value] of values) field.value = value;
    $("[name=started_blank]").value = blank;
    if (back) select(back.matches("[tabindex]") ? back : $(".part", back)); else focusOn(held.isConnected ? held : $("#main"));
    typed();
  }

  const blanked = () => Boolean($("[name=started_blank]").value) && desk.past.some((each) => each.act === "blank");

  function addRow(button) {
    remember();
    const template = button.nextElementSibling;
    const key = `n${Date.now() % 1e9}${desk.rows++}`;
    const fresh = document.createElement("template");
    fresh.innerHTML = template.innerHTML.replaceAll(`/${template.dataset.key}`, `/${key}`).replaceAll(`value="${template.dataset.key}"`, `value="${key}"`);
    const row = fresh.content.firstElementChild;
    $(".list-rows", button.parentElement).append(row);
    return row;
  }

  function removeRow(row) {
    remember();
    row.remove();
    typed();
    tell(_("Removed. Ctrl + Z brings it back."));
  }

  // Pressed again, what was there comes back.
  function startBlank() {
    if (blanked()) {
      while (desk.past.at(-1).act !== "blank") desk.past.pop();
      return takeBack();
    }
    const text = $("#text");
    remember(text ? [text] : $$(".part").map(control), "blank");
    $("[name=started_blank]").value = "y";
    if (text) {
      open($("#editor"));
      text.select();
      if (!document.execCommand("delete")) text.value = ""; // so that Ctrl + Z in the text brings it back, too
    } else {
      for (const row of $$(".list-row")) row.remove();
      for (const part of $$(".part")) { const field = control(part); field.value = ""; if (field.value !== "") field.selectedIndex = 0; }
    }
    typed();
  }

  addEventListener("input", (event) => {
    if (event.target.id === "search") return filter();
    if (event.target.id === "keys-on") { kept.set("keys", event.target.checked ? "on" : "off"); return document.body.classList.toggle("keys-off", !event.target.checked); }
    if (!desk?.main || event.target.form?.id !== "decision") return;
    if (event.target.name === "choice") return picked();
    if (event.target.name === "reason") return showNote();
    rightAgain(event.target.closest(".part"));
    typed();
  });

  // What was said of a value that has been changed is no longer so.
  function rightAgain(part) {
    if (!part?.matches(".wrong")) return;
    part.classList.remove("wrong");
    $(".errors", part)?.remove();
    control(part)?.removeAttribute("aria-invalid");
  }
  addEventListener("focusin", (event) => {
    if (!desk?.main || !(event.target instanceof Element)) return;
    if (event.target.id === "search") { event.target.select(); filter(); }
    const part = event.target.closest(".part, [data-pointer]");
    if (part?.dataset.pointer) { desk.part = part; watch(part); } else stopWatching();
    if (part && event.target !== part) part.classList.add("open");
  });
  addEventListener("focusout", (event) => {
    if (desk?.main && !event.relatedTarget) stopWatching();
    const part = event.target.closest?.(".part");
    if (part && !part.contains(event.relatedTarget)) part.classList.remove("open");
    const search = event.target.closest?.(".search");
    if (search && event.relatedTarget) openSearch(search.contains(event.relatedTarget));
    else if (search) setTimeout(() => { if (!search.contains(document.activeElement)) openSearch(false); }, 150); // a click on a label takes no focus
  });
  addEventListener("pointermove", touched, { passive: true });
  addEventListener("pagehide", () => { if (desk?.dirty) navigator.sendBeacon?.(`${desk.claim}/draft`, formData()); });
  addEventListener("online", () => { if (desk?.dirty) saveDraft(); });
  addEventListener("submit", (event) => { if (event.target.id === "decision" && !desk?.loading) { event.preventDefault(); if (event.submitter) clicked(event.submitter, event); } });

  // -- a page begins ------------------------------------------------------------------------------------------------------------------

  function start(refused) {
    desk?.editor?.end?.();
    const main = $("main.desk"), before = desk?.task;
    const undo = $("#undo");
    if (undo) undo.until = Date.now() + 1000 * Number(undo.dataset.left);
    document.body.classList.toggle("keys-off", !keysOn());
    if ($("#keys-on")) $("#keys-on").checked = keysOn();
    if (!main) { desk = null; return; }
    const now = Date.now(), data = main.dataset;
    desk = {
      main, view: data.view, claim: data.claim, task: data.task, person: data.person, lost: "lost" in data, lease: Number(data.lease), until: now + 1000 * Number(data.secondsLeft),
      input: now, active: now, spent: 0, seen: new Set($$("#decision > [name=seen]").map((input) => input.value)), reason: $("[name=reason]:checked"), rows: 0, past: [],
    };
    if (desk.task !== before) document.body.classList.add("fresh");
    desk.tellsSeen = "tellsSeen" in data;
    if (!data.editor) return begin(refused);
    const mine = desk;
    mine.loading = true;
    import(data.editor).then((module) => {
      if (mine !== desk) return;
      mine.editor = module.default({ $, $$, mark, typed, focusOn, select, open, decideAtOnce, addRow, removeRow, remember, tell });
      mine.loading = false;
      begin(refused);
    }).catch(() => { say(_("A part of this page could not be loaded. It works without, by its buttons."), "warning"); });
  }

  function begin(refused) {
    const data = desk.main.dataset, mine = desk;
    requestAnimationFrame(() => setTimeout(() => { if (mine === desk) document.body.classList.remove("fresh"); }, JUST_CAME));
    document.documentElement.style.setProperty("--deck", `${$(".deck").offsetHeight}px`);
    if (refused && !desk.lost) { desk.dirty = true; desk.saving = setTimeout(saveDraft, 700); } else if (!refused && restore()) return;
    if (desk.lost) for (const field of $$(".side textarea, .side input, .side select")) field.readOnly = true;
    showPicked();
    showNote();
    const wrong = $(".part.wrong") ?? ($("#reasons.wrong") && $("[name=reason]")) ?? ($("#comment-errors") && $("#comment"));
    const first = $("#parts")?.dataset.first;
    // At phone width the page begins with what the AI saw; the field is selected all the same.
    const narrow = matchMedia("(max-width: 860px)").matches && !wrong && !desk.lost;
    if (narrow) ($("[name=choice]:checked, #listed input, [name=pick]") ?? $("#editor") ?? $$(".part").find((part) => part.dataset.pointer === first) ?? $(".part"))?.focus({ preventScroll: true });
    else if (desk.lost) focusOn($(".deck .primary"));
    else if (wrong) select(wrong);
    else if ($("#parts") && !desk.editor?.rest) select($$(".part").find((part) => part.dataset.pointer === first) ?? $(".part"));
    else rest();
    if ($("#parts")) showParts();
    desk.editor?.show?.();
    if (!narrow) $("#turns")?.lastElementChild?.scrollIntoView({ block: "nearest" });
    tellInstructions(data);
  }

  // What could not be sent before the page went away is sent now, and the server draws it.
  function restore() {
    const left = kept.get(draftKey(desk));
    if (!left) return false;
    kept.drop(draftKey(desk));
    const body = new URLSearchParams(left), mine = desk;
    body.set("csrf_token", $("[name=csrf_token]").value);
    ask(`${desk.claim}/draft`, body)
      .then((answer) => (answer.ok ? ask(mine.claim) : Promise.reject(new Error("refused"))))
      .then((answer) => answer.text())
      .then((html) => swap(html, mine.claim))
      .catch(() => { kept.set(draftKey(mine), left); say(_("Offline. What you typed is kept in this browser."), "warning"); });
    return true;
  }

  // Once by themselves when they changed; closing them says that they are known.
  function tellInstructions(data) {
    if (!data.instructions || !$("#show-instructions")) return;
    const body = new URLSearchParams({ csrf_token: $("[name=csrf_token]").value });
    $("#instructions").addEventListener("close", () => { ask(data.instructions, body).catch(() => { /* shown again with the next item */ }); }, { once: true });
    show($("#instructions"));
  }

  setInterval(tick, 1000);
  start(false);
})();
