"""Sample items with pictures, drawn for this project by `scripts/make_sample_pictures.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "pictures"
FIELDS = ("sender", "number", "date", "carrier", "first_item_pieces")

_NOTES = [
    (("Brightwater Glass Ltd", "DN-20417", "12 November 2026", "Freight", 24), (0.93, 0.9, 0.88, 0.41, 0.72)),
    (("Havnegata 7, 8006 Bodø", "DN-20433", "13 November 2026", "Nordtransport", 40), (0.38, 0.91, 0.9, 0.84, 0.47)),
    (("Olivar del Sur", "DN-2044I", "16 November 2026", None, 60), (0.58, 0.44, 0.86, 0.35, 0.81)),
]
"""What a model read of each note, and how sure it was."""
_SHELVES = [
    [(58, 88, 48, 154, "bottle", 0.94), (118, 90, 50, 150, "bottle", 0.91), (198, 138, 108, 114, "box", 0.88),
     (338, 148, 132, 94, "jar", 0.37), (520, 130, 104, 110, "box", 0.9), (90, 330, 44, 150, "bottle", 0.86),
     (228, 388, 62, 94, "jar", 0.83), (330, 370, 104, 110, "jar", 0.42), (478, 378, 108, 114, "box", 0.87)],
    [(58, 148, 62, 94, "jar", 0.9), (150, 90, 44, 150, "bottle", 0.92), (300, 150, 58, 90, "jar", 0.85),
     (398, 128, 108, 114, "box", 0.89), (110, 370, 104, 110, "box", 0.9), (320, 330, 44, 150, "jar", 0.33),
     (400, 390, 58, 90, "jar", 0.81), (468, 388, 62, 94, "jar", 0.8), (600, 40, 30, 30, "jar", 0.22)],
]  # fmt: skip


def pictured(uploaded: Callable[[str, bytes], str]) -> Iterator[dict[str, Any]]:
    """`uploaded` keeps a picture for a queue and says its id."""
    for number, (values, sure) in enumerate(_NOTES, 1):
        picture = uploaded("delivery-notes", (HERE / f"note-{number}.jpg").read_bytes())
        words = json.loads((HERE / f"note-{number}.json").read_text(encoding="utf-8"))
        yield {
            "queue": "delivery-notes", "external_id": f"note-{number}", "confidence": min(sure),
            "input": {"page": {"$media": picture}, "words": words}, "output": dict(zip(FIELDS, values, strict=True)),
            "model": "notes", "model_version": "4",
            "parts": [{"pointer": f"/{name}", "confidence": one} for name, one in zip(FIELDS, sure, strict=True)],
        }  # fmt: skip
    for number, boxes in enumerate(_SHELVES, 1):
        picture = uploaded("shelf-goods", (HERE / f"shelf-{number}.jpg").read_bytes())
        sides = ("x", "y", "width", "height", "label")
        yield {
            "queue": "shelf-goods", "external_id": f"shelf-{number}", "confidence": min(box[5] for box in boxes),
            "input": {"picture": {"$media": picture}, "camera": f"aisle {number}"},
            "output": {"goods": [dict(zip(sides, box[:5], strict=True)) for box in boxes]},
            "model": "shelves", "model_version": "2",
            "parts": [{"pointer": f"/goods/{place}", "confidence": box[5]} for place, box in enumerate(boxes)],
        }  # fmt: skip
