"""Four reviewers, two of them in browsers, judge one queue with several reviews, adjudication and gold; then the page
of quality tells what the reference library says of the decisions that were exported."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from reviewqueue.accounts import people
from reviewqueue.core.access import Actor
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.models import Decision, Item, Queue, Task
from reviewqueue.models.states import ActorKind, QueueRole, Via
from reviewqueue.queues.applying import apply
from reviewqueue.review import edge, golden
from reviewqueue.review.decisions.recording import Submission
from tests.browser.test_desk import begin, on
from tests.browser.test_receipts import exported
from tests.fixtures.people import PASSWORD

pytestmark = pytest.mark.browser

MOODS = ("glad", "neutral", "cross")
ITEMS = 6
MISTAKEN = {"alice": (), "carol": (1, 4), "dave": (1,), "erin": (2,)}
"""Who errs on which items, always in the same way."""


def mood(who: str, text: str) -> int:
    number = int(text.rsplit(maxsplit=1)[-1])
    return (number + (number in MISTAKEN.get(who, ()))) % 3


def test_the_quality_page_tells_what_the_reference_library_says_of_the_export(site, open_page):
    krippendorff = pytest.importorskip("krippendorff")
    for name, role in (("dave", QueueRole.REVIEWER), ("erin", QueueRole.REVIEWER), ("lena", QueueRole.LEAD)):
        person = site.write(
            people.create, email=f"{name}@example.org", name=name.title(), password=PASSWORD, must_change_password=False
        )
        site.people[name] = person.id
        site.join(name, "moods", role)
    reviews = {"required": 4, "gold": 0.5}
    site.write(
        apply, document={**site.documents["moods"], "reasons": [], "undo_seconds": 0, "reviews": reviews}
    )  # fmt: skip
    for number in (100, 101, 102):
        item = {"queue": "moods", "input": {"text": f"Message {number}"}, "output": "neutral"}
        body = checked(ItemShape, dumps(item).encode())
        site.write(golden.add_new, slug="moods", body=body, answer=json.dumps(MOODS[number % 3]))
    for number in range(ITEMS):
        site.submit("moods", "neutral", given={"text": f"Message {number}"})
    for who in ("alice", "carol"):
        review_at_the_desk(open_page(who), who)
    for who in ("dave", "erin"):
        review_over_the_api(site, who)
    lead = open_page("lena")
    review_at_the_desk(lead, "lena")
    kinds = [row.kind.value for row in site.rows(Task, Task.state == "done")]
    assert (kinds.count("review"), kinds.count("adjudication")) == (4 * ITEMS, 3)

    records = exported(site, "moods")
    answers = [[MOODS.index(one["output"]) for one in record["decisions"][:4]] for record in records]
    expected = krippendorff.alpha(reliability_data=list(zip(*answers, strict=True)), level_of_measurement="nominal")
    assert [record["resolution"]["output"] for record in records] == [MOODS[number % 3] for number in range(ITEMS)]
    lead.goto("/queues/moods/quality")
    shown = lead.inner_text("main")
    assert float(re.search(r"Krippendorff's α\s+([\d.]+)", shown)[1]) == pytest.approx(expected, abs=0.0005)
    assert "3 of 6 items" in shown
    checks = dict.fromkeys(("Alice", "Carol"), 0)
    for name in checks:
        made = site.rows(Decision, Decision.person_id == site.people[name.lower()], Decision.correct.is_not(None))
        checks[name] = len(made)
        assert [row.correct for row in made] == [True] * len(made)
        rows = [row for row in lead.locator("tr").all_inner_texts() if re.match(rf"{name}\t\d+\t{len(made)}\t", row)]
        assert rows or not made
    assert sum(checks.values()) > 0, "with half of all claims, nobody meets none of three but once in a thousand times"


def review_at_the_desk(page: Any, who: str) -> None:
    begin(page, "moods")
    while page.query_selector("main.desk"):
        text = re.search(r"Message \d+", page.inner_text(".stage"))[0]
        page.keyboard.press(str(mood(who, text) + 1))
        on(page, "Enter")


def review_over_the_api(site: Any, who: str) -> None:
    queue = next(row for row in site.rows(Queue) if row.slug == "moods")
    actor = Actor(
        kind=ActorKind.PERSON, id=site.people[who], name=who, via=Via.API,
        memberships={queue.id: frozenset({QueueRole.REVIEWER})},
    )  # fmt: skip
    with site.app.app_context():
        while held := edge.take_next(actor, "moods", lambda session, held: (held, _text(session, held.item_id))):
            claim, text = held
            answer = Submission(verdict=None, output=MOODS[mood(who, text)])
            edge.decide_now(actor, claim.claim_id, answer)


def _text(session: Any, item_id: str) -> str:
    return str(json.loads(session.get(Item, item_id).input)["text"])
