// A file dropped anywhere on the page is the chosen one. Without this file there is the button of the form.
"use strict";
(() => {
  const form = document.querySelector("form[data-drop]");
  const input = form.querySelector("input[type=file]");
  const over = (is) => form.classList.toggle("over", is);
  document.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (!event.dataTransfer?.files.length) return;
    input.files = event.dataTransfer.files;
    form.requestSubmit();
  });
  input.addEventListener("change", () => { if (input.files.length) form.requestSubmit(); });
})();
