"""Documents and boxes at the desk without a script: the page beside its fields, boxes as rows of numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from reviewqueue.errors import Invalid
from reviewqueue.media.uploads import kept, upload
from reviewqueue.models import Item, Media
from reviewqueue.models.states import MediaState
from reviewqueue.queues.catalog import Compiled
from reviewqueue.queues.configuration import parse
from reviewqueue.queues.pages import Box, Word, words_in
from reviewqueue.queues.references import without
from tests.fixtures.media import png
from tests.fixtures.noscript import Desk
from tests.fixtures.people import OPERATOR
from tests.review.test_types import Bench

SIDES = ("x", "y", "width", "height")
NOTES: dict[str, Any] = {
    "name": "notes", "routing": {"otherwise": "review"}, "view": {"type": "document", "input": "page", "words": "ocr"},
    "output_schema": {"type": "object", "required": ["total"], "properties": {"total": {"type": "string"}}},
}  # fmt: skip
SCENES: dict[str, Any] = {
    "name": "scenes", "routing": {"otherwise": "review"}, "view": {"type": "image_boxes", "unit": "percent"},
    "output_schema": {"type": "array", "items": {"type": "object", "required": [*SIDES, "label"], "properties": {
        **{side: {"type": "number"} for side in SIDES}, "label": {"enum": ["cat", "dog"]},
    }}},
}  # fmt: skip
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def bench(app: Any, cast: Any, transaction: Any) -> Bench:
    return Bench(app, cast, transaction)


@pytest.fixture
def picture(transaction: Any) -> Any:
    """Keeps a picture for a queue; its reference."""

    def uploaded(slug: str, data: bytes = png(200, 100)) -> dict[str, str]:
        with transaction() as session:
            return {"$media": upload(session=session, actor=OPERATOR, slug=slug, file=kept(data))["$media"]}

    return uploaded


def box(x: float, y: float, width: float, height: float, label: str = "cat") -> dict[str, Any]:
    return {"x": x, "y": y, "width": width, "height": height, "label": label}


def test_a_page_stands_beside_its_fields_and_nothing_on_it_gets_out(bench, picture):
    bench.open(NOTES)
    words = [{"text": f"Total {HOSTILE}", "box": [10, 10, 110, 30]}, {"text": "9.00", "box": [120, 10, 160, 30]}]
    region = {"page": 1, "box": [120, 10, 160, 30]}
    bench.put(
        NOTES, {"page": picture("notes"), "ocr": words, "shop": HOSTILE}, {"total": "8.00"},
        parts=[{"pointer": "/total", "confidence": 0.3, "region": region}],
    )  # fmt: skip
    page = bench.begin(NOTES)
    assert re.search(r'<img src="/claims/[^"]+/media/0" width="200" height="100" alt="Page 1">', page)
    assert "<script>alert" not in page
    assert "&#34;/total&#34;:[1,120.0,10.0,40.0,20.0]" in page
    assert "Ocr" not in page, "the words are on the page, not in a list beneath it"
    assert "$media" not in page
    bench.alice.send(**{"f/total": "9.00"})
    assert bench.decided == [("override", {"total": "9.00"})]


def test_what_could_not_be_fetched_is_said_calmly_and_the_form_works(bench, picture, transaction):
    bench.open(NOTES)
    for _ in range(3):
        bench.put(NOTES, {"page": picture("notes")}, {"total": "8.00"})
    bench.put(NOTES, {"page": picture("notes", b"%PDF-1.7\n")}, {"total": "8.00"})
    with transaction() as session:
        first, second, *_ = session.query(Media).order_by(Media.created_at, Media.sha256)
        first.state, second.state, second.error = MediaState.WAITING, MediaState.FAILED, f"answered 404 {HOSTILE}"
    bench.begin(NOTES)
    escaped = "answered 404 &#34;&gt;&lt;script&gt;"
    for said in ("is still being fetched", f"could not be fetched: {escaped}", "<img", "Download it"):
        assert said in bench.alice.page
        bench.alice.send()
    assert [verdict for verdict, _ in bench.decided] == ["approve"] * 4


def test_boxes_are_rows_of_numbers_drawn_over_their_picture(bench, picture):
    bench.open(SCENES)
    given = [{**box(10, 20, 30, 40), "track": 7}, box(50, 0, 50, 50, "dog")]
    for _ in range(3):
        bench.put(SCENES, {"picture": picture("scenes")}, given)
    page = bench.begin(SCENES)
    assert '<rect class="box c0" x="20.0" y="20.0" width="60.0" height="40.0"/>' in page
    assert '<rect class="box c1" x="100.0" y="0.0" width="100.0" height="50.0"/>' in page
    bench.alice.send("draft", **{"gone": "f/1", "f/0/x": "12.5"})
    assert "<ins>cat 60 × 40 at 25, 20</ins>" in bench.alice.page
    assert "<del>dog 100 × 50 at 100, 0</del>" in bench.alice.page
    bench.alice.send()
    for broken in ({"f/0/x": "-1"}, {"f/0/width": "0"}, {"f/0/x": "80"}, {"f/0/label": '"cow"'}, {"f/0/x": "1e400"}):
        assert bench.alice.send(**broken).status_code == 422, broken
        bench.alice.get(bench.alice.address.removesuffix("/decision"))
    bench.alice.send(gone=["f/0", "f/1"])
    bench.alice.send()
    assert bench.decided == [("edit", [{**given[0], "x": 12.5}]), ("override", []), ("approve", given)]


def test_the_page_of_an_item_compares_boxes_and_its_conversation_shows_them(bench, picture, app, cast, transaction):
    bench.open({**SCENES, "undo_seconds": 0})
    bench.put(SCENES, {"picture": picture("scenes")}, [box(10, 20, 30, 40), box(50, 0, 50, 50, "dog")])
    bench.begin(SCENES)
    bench.alice.send(**{"f/0/x": "12.5"})
    with transaction() as session:
        item_id = session.scalars(select(Item.id)).one()
    ada = Desk(app, cast.admin)
    ada.get(f"/items/{item_id}")
    drawn = re.findall(r'<rect class="box (\w+)" x="([\d.]+)"', ada.page)
    assert drawn == [("gone", "20.0"), ("same", "100.0"), ("new", "25.0")]
    ada.get(f"/items/{item_id}/comments")
    assert f'src="/items/{item_id}/media/0"' in ada.page


def test_blind_people_see_the_picture_without_the_boxes(bench, picture):
    queue = {**SCENES, "reviews": {"blind": 1.0}}
    bench.open(queue)
    bench.put(queue, {"picture": picture("scenes")}, [box(10, 20, 30, 40)])
    page = bench.begin(queue)
    assert "/media/0" in page
    assert "<rect" not in page


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({}, "/input/page"),
        ({"page": {"$media": "x"}, "ocr": "words"}, "/input/ocr"),
        ({"page": {"$media": "x"}, "ocr": [{"text": "a"}]}, "/input/ocr/0"),
        ({"page": {"$media": "x"}, "ocr": [{"text": "a", "box": [3, 0, 1, 1]}]}, "/input/ocr/0"),
        ({"page": {"$media": "x"}, "ocr": [{"text": "a", "box": [0, 0, 1, 1], "page": 0}]}, "/input/ocr/0"),
    ],
)
def test_an_input_without_a_page_or_with_words_that_are_nowhere_is_refused(given, pointer):
    compiled = Compiled(1, parse(NOTES, final_say=True)[0], "")
    assert [fault.pointer for fault in compiled.validate_input(given)] == [pointer]


@pytest.mark.parametrize(
    ("view", "pointer"),
    [
        ({"type": "image_boxes", "output": "nothing"}, "/view/output"),
        ({"type": "json", "words": "ocr"}, "/view/words"),
        ({"type": "json", "unit": "percent"}, "/view/unit"),
        ({"type": "image_boxes"}, "/view"),
    ],
)
def test_a_view_that_does_not_fit_its_schema_is_refused(view, pointer):
    with pytest.raises(Invalid) as refused:
        parse({**NOTES, "view": view}, final_say=True)
    assert pointer in [fault.pointer for fault in refused.value.faults]


def test_a_line_is_cut_into_words_whose_boxes_follow_its_letters():
    line = {"text": "25/12/2018 8:13", "box": [0, 0, 150, 20], "page": 2}
    assert list(words_in({"words": [line]}, None)) == [
        Word("25/12/2018", Box(2, 0, 0, 100, 20)), Word("8:13", Box(2, 110, 0, 150, 20)),
    ]  # fmt: skip


def test_references_are_left_out_of_what_is_listed():
    given = {"a": {"$media": "x"}, "b": [{"$media": "x"}], "c": [{"$media": "x"}, 1], "d": {"e": {"$media": "x"}}}
    assert without(given) == {"c": [1], "d": {}}
