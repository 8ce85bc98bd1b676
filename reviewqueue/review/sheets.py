"""The pictures of an item as a page shows them, with what lies over them: words, and where parts were found. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reviewqueue.media.reading import Picture
from reviewqueue.queues import pages
from reviewqueue.queues.pages import Box
from reviewqueue.queues.views import View
from reviewqueue.review.workpiece import Workpiece

MOST_WORDS = 5_000
"""Over the pages of one item."""


@dataclass(frozen=True)
class Sheets:
    """`pages` are what the type is about, in order; `others` are shown with the rest of the input."""

    pages: list[Picture]
    others: list[Picture]
    words: str = "[]"
    """For the script: `[[page, x, y, width, height, text], …]`."""
    regions: str = "{}"
    """For the script: by pointer, `[page, x, y, width, height]`."""

    @property
    def drawn(self) -> bool:
        """Whether there is a page to draw over."""
        return any(page.is_picture for page in self.pages)

    @property
    def has_pdf(self) -> bool:
        return any(page.is_pdf for page in self.pages)

    @property
    def first(self) -> Picture | None:
        return next((page for page in self.pages if page.is_picture), None)


def sheets_of(work: Workpiece) -> Sheets:
    """For the desk."""
    view = work.config.view
    found = shared_out(view, work.input, work.pictures)
    if view.type != "document":
        return found
    words = [[*_sides(word.box), word.text] for _, word in zip(range(MOST_WORDS), _words(work), strict=False)]
    regions = {pointer: _sides(box) for pointer, region in work.regions.items() if (box := pages.box_of(region))}
    return Sheets(found.pages, found.others, _compact(words), _compact(regions))


def shared_out(view: View, given: Any, pictures: list[Picture]) -> Sheets:
    """Which pictures the type is about."""
    if view.type not in {"document", "image_boxes"}:
        return Sheets([], pictures)
    places = set(pages.places_in(given, view.input))
    return Sheets(
        [one for one in pictures if one.place in places], [one for one in pictures if one.place not in places]
    )


def _words(work: Workpiece) -> Iterable[pages.Word]:
    return pages.words_in(work.input, work.config.view.words)


def _sides(box: Box) -> list[float]:
    sides = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    return [box.page, *(round(side, 1) for side in sides)]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
