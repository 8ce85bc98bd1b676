"""COCO: boxes on pictures as detectors are trained with them (https://cocodataset.org/#format-data). Pure.

    {"info": {}, "licenses": [], "categories": [{id, name, supercategory}],
     "annotations": [{id, image_id, category_id, bbox: [x, y, width, height], area, iscrowd, segmentation}],
     "images": [{id, width, height, file_name, …}]}

Boxes are in pixels. A picture is there if its boxes stand, also none; one whose item was rejected is not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from reviewqueue.feedback.formats.frame import Frame, below, decided, file_name
from reviewqueue.queues.boxes import in_pixels
from reviewqueue.queues.references import references_in

A_SHARD = 10_000_000
"""Between the first numbers of two shards."""


class Coco:
    """One file. Annotations come first, so that only the pictures' lines are kept until the end."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._categories = {name: number for number, name in enumerate(frame.labels, 1)}
        self._images: list[str] = []
        self._boxes = 0
        self._first = frame.shard * A_SHARD + 1

    @property
    def rows(self) -> int:
        """Pictures that are in it."""
        return len(self._images)

    def begin(self) -> bytes:
        found = [{"id": number, "name": name, "supercategory": ""} for name, number in self._categories.items()]
        return f'{{"info":{{}},"licenses":[],"categories":{_compact(found)},"annotations":['.encode()

    def take(self, row: Any, _: Sequence[Any], media: Sequence[Any], __: bytes) -> bytes:
        """The annotations of an item."""
        view, picture = self._frame.view_of(row), None
        boxes = decided(view, json.loads(row.final_output))
        for place, one in enumerate(references_in(json.loads(row.input))):
            if picture is None and below(view, one.pointer):
                picture = next((each for each in media if each.place == place and each.width), None)
        if picture is None or not isinstance(boxes, list) or row.verdict == "reject":
            return b""
        image_id = self._first + len(self._images)
        self._images.append(_compact({
            "id": image_id, "width": picture.width, "height": picture.height, "file_name": file_name(picture),
            "item_id": row.id, "external_id": row.external_id, "verdict": row.verdict, "probability": row.probability,
            "place": picture.place,
        }))  # fmt: skip
        percent = view.unit == "percent"
        return b"".join(self._annotation(box, image_id, picture, percent=percent) for box in boxes)

    def _annotation(self, box: Any, image_id: int, picture: Any, *, percent: bool) -> bytes:
        place = in_pixels(box, picture.width, picture.height, percent=percent)
        sides = [round(side, 2) for side in (place.x, place.y, place.width, place.height)]
        more = {key: value for key, value in box.items() if key not in {"x", "y", "width", "height", "label"}}
        text = _compact({
            "id": self._first + self._boxes, "image_id": image_id, "category_id": self._categories[_name(box["label"])],
            "bbox": sides, "area": round(sides[2] * sides[3], 2), "iscrowd": 0, "segmentation": [],
            **({"attributes": more} if more else {}),
        })  # fmt: skip
        self._boxes += 1
        return (text if self._boxes == 1 else f",\n{text}").encode()

    def end(self) -> bytes:
        return f'],"images":[{",".join(self._images)}]}}\n'.encode()


def _name(label: Any) -> str:
    return label if isinstance(label, str) else json.dumps(label)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
