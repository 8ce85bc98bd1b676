"""How long a reviewer waits: from the keystroke to the next item painted, as the browser's own clock has it."""

from __future__ import annotations

import statistics
from typing import Any

WATCH = """() => {
  let pressed = 0;
  window.waits = [];
  addEventListener("keydown", (event) => { pressed = event.timeStamp; }, true);
  const swapped = (changes) => changes.some(({ addedNodes }) => [...addedNodes].some((node) => node.localName === "main"));
  new MutationObserver((changes) => {
    if (!pressed || !swapped(changes)) return;
    const since = pressed, at = performance.now();
    const asked = performance.getEntriesByType("resource").filter((each) => each.initiatorType === "fetch" && each.startTime >= since);
    performance.clearResourceTimings(); // the browser keeps 250 of them
    pressed = 0;
    // The task after the frame: what the frame shows is painted.
    requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => window.waits.push({
      painted: performance.now() - since, swapped: at - since, server: asked.length ? asked.at(-1).responseEnd - asked[0].startTime : 0,
    }); port2.postMessage(0); });
  }).observe(document.body, { childList: true });
}"""
"""Evaluated in a page of the desk: `window.waits` then holds the milliseconds of every item since."""


def percentiles(waits: list[dict[str, float]], part: str = "painted") -> tuple[float, float]:
    """p50 and p95 in milliseconds."""
    found = sorted(wait[part] for wait in waits)
    return statistics.median(found), found[min(len(found) - 1, int(0.95 * len(found)))]


def told(waits: list[dict[str, Any]]) -> str:
    """One line: the wait, and what of it was the server's."""
    (half, most), (server, slowest) = percentiles(waits), percentiles(waits, "server")
    return (
        f"keystroke to next item painted: p50 {half:.0f} ms, p95 {most:.0f} ms over {len(waits)} items"
        f" (request and answer {server:.0f} and {slowest:.0f})"
    )
