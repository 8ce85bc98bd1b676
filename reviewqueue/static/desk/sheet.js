// What documents and boxes share: drawing over a picture, and its size.
const SVG = "http://www.w3.org/2000/svg";

export function shape(kind, attributes, className) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.setAttribute("class", className);
  return made;
}

// Where the pointer is, in pixels of the picture.
export function pointIn(svg, event) {
  const { left, top, width, height } = svg.getBoundingClientRect(), { width: wide, height: high } = svg.viewBox.baseVal;
  const within = (value, most) => Math.max(0, Math.min(most, value));
  return { x: within((event.clientX - left) / width * wide, wide), y: within((event.clientY - top) / height * high, high) };
}

export function zooming(pages) {
  let factor = 1;
  const zoom = (by) => {
    factor = by ? Math.max(0.5, Math.min(4, factor * by)) : 1;
    for (const sheet of pages.querySelectorAll(".sheet")) {
      sheet.style.width = "";
      const { width } = sheet.getBoundingClientRect();
      if (factor === 1 || !width) continue; // one of a page that is not in sight has no width
      sheet.dataset.fit ??= width;
      sheet.style.width = `${sheet.dataset.fit * factor}px`;
    }
    pages.classList.toggle("zoomed", factor > 1);
  };
  const keys = { 0: () => zoom(0), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8) };
  pages.addEventListener("turned", () => zoom(1));
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => keys[button.dataset.zoom]());
  return keys;
}
