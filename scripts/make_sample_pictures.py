"""Draw the sample pictures of the demo with Chromium: delivery notes with their words, and shelves with their goods.

    python scripts/make_sample_pictures.py

Writes `reviewqueue/samples/pictures/`. The pictures are the project's own.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parents[1] / "reviewqueue" / "samples" / "pictures"
NOTES: list[dict[str, Any]] = [
    {
        "file": "note-1",
        "sender": "Brightwater Glass Ltd",
        "street": "14 Quay Road, Falmouth TR11 3XA",
        "number": "DN-20417",
        "date": "12 November 2026",
        "carrier": "Coastline Freight",
        "lines": [("Float glass 4 mm, 1200 × 800", "24"), ("Glazing tape, white", "10"), ("Setting blocks", "200")],
        "parcels": "3 pallets",
    },
    {
        "file": "note-2",
        "sender": "Nordlys Papir AS",
        "street": "Havnegata 7, 8006 Bodø",
        "number": "DN-20433",
        "date": "13 November 2026",
        "carrier": "Nordtransport",
        "lines": [("Copy paper A4, 80 g", "120"), ("Envelopes C5", "40")],
        "parcels": "1 pallet",
    },
    {
        "file": "note-3",
        "sender": "Olivar del Sur S.L.",
        "street": "Calle Real 31, 23700 Linares",
        "number": "DN-20441",
        "date": "16 November 2026",
        "carrier": "Transportes Vega",
        "lines": [("Olive oil, 5 l tin", "60"), ("Olives, green, 2 kg", "36"), ("Vinegar, 1 l", "48")],
        "parcels": "2 pallets",
    },
]
SHELVES: list[dict[str, Any]] = [
    {
        "file": "shelf-1",
        "goods": [
            ("bottle", 60, 90),
            ("bottle", 120, 90),
            ("box", 200, 140),
            ("jar", 340, 150),
            ("jar", 410, 150),
            ("box", 520, 130),
            ("bottle", 90, 330),
            ("jar", 230, 390),
            ("box", 330, 370),
            ("box", 480, 380),
        ],
    },
    {
        "file": "shelf-2",
        "goods": [
            ("jar", 60, 150),
            ("bottle", 150, 90),
            ("bottle", 215, 90),
            ("jar", 300, 150),
            ("box", 400, 130),
            ("box", 110, 370),
            ("bottle", 320, 330),
            ("jar", 400, 390),
            ("jar", 470, 390),
            ("bottle", 560, 330),
        ],
    },
]
SIZES = {"bottle": (44, 150), "box": (104, 110), "jar": (58, 90)}
_FLOORS = (240, 480)

NOTE = """<style>body{{margin:0;background:#fdfcf8;font:17px/26px Georgia,serif;color:#222;width:620px;height:800px;position:relative}}
main{{padding:48px 52px}} h1{{font-size:25px;margin:0 0 4px}} table{{border-collapse:collapse;width:100%;margin:26px 0}}
td,th{{border-bottom:1px solid #999;padding:8px 4px;text-align:left}} td:last-child,th:last-child{{text-align:right}}
.stamp{{position:absolute;right:64px;bottom:110px;transform:rotate(-9deg);border:3px solid #2b4a9b;color:#2b4a9b;border-radius:8px;padding:8px 18px;font:700 19px sans-serif;opacity:.75}}
dl{{display:grid;grid-template-columns:150px 1fr;margin:28px 0}} dd{{margin:0}}</style>
<main><h1>{sender}</h1>{street}<dl><dt>Delivery note</dt><dd>{number}</dd><dt>Date</dt><dd>{date}</dd><dt>Carrier</dt><dd>{carrier}</dd></dl>
<table><tr><th>Goods</th><th>Pieces</th></tr>{rows}</table><p>Delivered as {parcels}. Please check the goods on arrival and note any damage here.</p></main>
<div class="stamp">RECEIVED</div>"""

WORDS = """() => { const found = []; const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) for (const match of node.data.matchAll(/\\S+/g)) { const range = document.createRange();
range.setStart(node, match.index); range.setEnd(node, match.index + match[0].length); const box = range.getBoundingClientRect();
if (box.width) found.push({ text: match[0], box: [box.left, box.top, box.right, box.bottom].map(Math.round) }); } return found; }"""


def note(page: Page, one: dict[str, Any]) -> None:
    rows = "".join(f"<tr><td>{what}</td><td>{count}</td></tr>" for what, count in one["lines"])
    page.set_viewport_size({"width": 620, "height": 800})
    page.set_content(NOTE.format(**{**one, "rows": rows}))
    page.screenshot(path=HERE / f"{one['file']}.jpg", type="jpeg", quality=72)
    text = "[\n" + ",\n".join(json.dumps(word, ensure_ascii=False) for word in page.evaluate(WORDS)) + "\n]\n"
    (HERE / f"{one['file']}.json").write_text(text, encoding="utf-8")


def shelf(page: Page, one: dict[str, Any]) -> None:
    shapes = []
    for place, (kind, x, y) in enumerate(one["goods"]):
        width, height = SIZES[kind]
        shade = ("#4f8a62", "#b0623c", "#41699b", "#9a8140", "#7c5a8d")[place % 5]
        neck = f'<rect x="{x + 14}" y="{y}" width="16" height="44" fill="{shade}"/>' if kind == "bottle" else ""
        lid = f'<rect x="{x + 4}" y="{y}" width="{width - 8}" height="14" fill="#ddd5c4"/>' if kind == "jar" else ""
        top = y + (38 if kind == "bottle" else 12 if kind == "jar" else 0)
        shapes.append(
            f'{neck}{lid}<rect x="{x}" y="{top}" width="{width}" height="{y + height - top}" rx="{0 if kind == "box" else 8}" fill="{shade}"/>'
            f'<rect x="{x + 5}" y="{y + height * 0.55}" width="{width - 10}" height="{height * 0.22}" fill="#f4efe3"/>'
        )
    floors = "".join(f'<rect x="0" y="{y}" width="640" height="16" fill="#8a6a4a"/>' for y in _FLOORS)
    page.set_viewport_size({"width": 640, "height": 500})
    page.set_content(
        f'<style>body{{margin:0}}</style><svg width="640" height="500"><rect width="640" height="500" fill="#ece4d6"/>{floors}{"".join(shapes)}</svg>'
    )
    page.screenshot(path=HERE / f"{one['file']}.jpg", type="jpeg", quality=72)


def main() -> None:
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"]).new_page()
        for one in NOTES:
            note(page, one)
        for one in SHELVES:
            shelf(page, one)


if __name__ == "__main__":
    main()
