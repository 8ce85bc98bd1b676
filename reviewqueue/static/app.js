// Every page: menus close, Escape goes back, Ctrl + Enter sends a form marked data-finish, parts marked data-refresh renew themselves, data-tick ticks many. All pages work without this file.
"use strict";

// A text of a script in the reader's language, with its {places} filled. What is not in the page's catalogue is English.
const texts = JSON.parse(document.body.dataset.texts ?? "{}");
function _(text, values = {}) {
  return (texts[text] ?? text).replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.repeat) return;
  const open = document.querySelector("details.menu[open], details.confirm[open]");
  if (!open) return goBack(event.target);
  open.open = false;
  open.querySelector("summary").focus();
});

// Escape leaves a field in which something was typed, and then follows <a data-back>.
function goBack(target) {
  const back = document.querySelector("a[data-back]");
  if (!back) return;
  if (target.matches?.("textarea, input") && target.value.trim()) return target.blur();
  back.click();
}

// <form data-stay>: its answer takes the place of the page, so that one step back leaves both.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-stay]")) return;
  event.preventDefault();
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual", credentials: "same-origin" });
    if (answer.type === "opaqueredirect") return location.replace(location.pathname);
  } catch { /* as without a script */ }
  form.submit();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
  const form = event.target.closest?.("form[data-finish]");
  if (form && !form.closest("dialog")) { event.preventDefault(); form.requestSubmit(); }
});

// <button data-tick="item">: ticks all boxes of that name in its form, or none when all are.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-tick]");
  if (!button) return;
  const boxes = [...button.form.querySelectorAll(`input[type=checkbox][name="${button.dataset.tick}"]`)];
  const tick = boxes.some((box) => !box.checked);
  for (const box of boxes) box.checked = tick;
});

// <div id="progress" data-refresh="2" data-refresh-url="…">: replaced by the element of that id in the answer.
function refreshLater(element) {
  setTimeout(async () => {
    if (!element.isConnected) return;
    if (document.hidden || element.contains(document.activeElement)) return refreshLater(element);
    try {
      const answer = await fetch(element.dataset.refreshUrl || location.href, {
        headers: { "X-Part": element.id }, cache: "no-cache", credentials: "same-origin",
      });
      const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(element.id);
      if (!fresh) return refreshLater(element);
      element.replaceWith(fresh);
      if (fresh.dataset.refresh) refreshLater(fresh);
    } catch {
      refreshLater(element);
    }
  }, 1000 * Number(element.dataset.refresh));
}
document.querySelectorAll("[data-refresh]").forEach(refreshLater);
