"""What a queue marks as sensitive is not shown until somebody asks, and that is recorded."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.errors import Invalid
from reviewqueue.feedback import exports, selection
from reviewqueue.feedback.commands import export
from reviewqueue.models import AuditContent, AuditEvent, DatasetVersion
from reviewqueue.queues.applying import apply
from reviewqueue.queues.configuration import parse
from reviewqueue.queues.sensitive import COVER, covered, left_out
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD, item

IBAN, PHONE = "DE02120300000000202051", "+49 30 901820"
MARKED = {
    **INTENTS, "input_schema": {"type": "object"}, "sensitive": ["/input/iban", "/metadata/phone", "/input/rows/*/n"],
    "undo_seconds": 0,
}  # fmt: skip
GIVEN = {"text": "Where is it?", "iban": IBAN, "rows": [{"n": 12345678901234567890, "m": 1.50}], "none": None}


@pytest.fixture
def marked(app, client, cast):
    """Puts an item into the queue; `marked(ask_why=True)` has it ask why."""

    def make(**options):
        sensitive = {"parts": MARKED["sensitive"], **options} if options else MARKED["sensitive"]
        with app.app_context(), write_session() as session:
            apply(session=session, actor=OPERATOR, document={**MARKED, "sensitive": sensitive})
        body = item(input=GIVEN, metadata={"phone": PHONE, "shop": "north"})
        return client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).json["id"]

    return make


def signed_in(app, member):
    browser = app.test_client()
    assert browser.post("/login", data={"email": member.email, "password": PASSWORD}).status_code == 303
    return browser


def decided(client, cast):
    claimed = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).json
    answer = {"fence": claimed["claim"]["fence"], "verdict": "override", "output": {"label": "refund"}}
    address = f"/api/v1/claims/{claimed['claim']['id']}/decision"
    assert client.post(address, json=answer, headers=cast.alice.bearer).status_code == 200


def reveals(app):
    with app.app_context(), read_session() as session:
        query = select(AuditEvent.actor, AuditEvent.facts, AuditContent.payload).outerjoin(
            AuditContent, AuditContent.event_id == AuditEvent.id
        )
        return session.execute(query.where(AuditEvent.action == "item.revealed").order_by(AuditEvent.id)).all()


def is_covered(text):
    return IBAN not in text and PHONE not in text and "12345678901234567890" not in text and COVER in text


def test_a_value_is_covered_or_left_out_where_it_is_marked():
    value = {"iban": IBAN, "a/b": {"c": [1, None, True]}, "pic": {"$media": "x"}, "rows": [{"n": 1}, {"m": 2}]}
    assert covered(value, "input", ["/input/iban", "/input/a~1b", "/metadata/rows", "/input/not/there"]) == {
        **value, "iban": COVER, "a/b": {"c": [COVER, None, COVER]},
    }  # fmt: skip
    assert covered(value, "input", ["/input"])["pic"] == {"$media": "x"}
    assert left_out(value, "input", ["/input/iban", "/input/rows/*/n", "/input/a~1b/c/0"]) == {
        "a/b": {"c": [None, None, True]}, "pic": {"$media": "x"}, "rows": [{}, {"m": 2}],
    }  # fmt: skip
    assert left_out(value, "input", ["/input"]) is None
    assert value["iban"] == IBAN


def test_what_is_worked_on_cannot_be_covered():
    spans = {
        "name": "spans", "routing": {}, "view": {"type": "spans", "input": "text", "output": "spans"},
        "output_schema": {
            "type": "object",
            "properties": {"spans": {"type": "array", "items": {"type": "object", "properties": {
                "start": {"type": "integer"}, "end": {"type": "integer"}, "label": {"enum": ["a"]},
            }}}},
        },
    }  # fmt: skip
    for part in ("/input/text", "/input"):
        with pytest.raises(Invalid) as refused:
            parse({**spans, "sensitive": [part]}, final_say=True)
        assert any("worked on" in fault.detail for fault in refused.value.faults), refused.value.faults
    parse({**spans, "sensitive": ["/input/iban"]}, final_say=True)
    with pytest.raises(Invalid):
        parse({**spans, "sensitive": ["/output/spans"]}, final_say=True)


def test_the_desk_covers_it_until_the_reviewer_asks_and_keeps_what_was_typed(app, cast, marked):
    marked()
    alice = signed_in(app, cast.alice)
    claim = alice.post("/queues/intents/claims").headers["Location"]
    page = alice.get(claim).text
    assert is_covered(page)
    assert "Where is it?" in page
    asked = alice.post(f"{claim}/draft", data={"choice": '"refund"', "comment": "so far", "reveal": "1"})
    assert asked.status_code == 303
    page = alice.get(claim).text
    assert IBAN in page
    assert "so far" in page
    (event,) = reveals(app)
    assert (event.actor, json.loads(event.facts)["parts"]) == (cast.alice.id, MARKED["sensitive"])
    with app.app_context(), write_session() as session:
        # The log cannot be edited; a test may make time pass.
        session.connection().exec_driver_sql(
            "DROP TRIGGER audit_event_no_update" if session.get_bind().dialect.name == "sqlite"
            else "ALTER TABLE audit_event DISABLE TRIGGER ALL"
        )  # fmt: skip
        session.execute(update(AuditEvent).where(AuditEvent.action == "item.revealed").values(at=clock(-901)))
    assert is_covered(alice.get(claim).text)
    # Deciding does not need it.
    answer = alice.post(f"{claim}/decision", data={"choice": '"refund"'})
    assert answer.status_code == 303


def test_why_is_asked_where_the_queue_asks(app, client, cast, marked):
    item_id = marked(ask_why=True)
    alice, bob = signed_in(app, cast.alice), signed_in(app, cast.bob)
    claim = alice.post("/queues/intents/claims").headers["Location"]
    alice.post(f"{claim}/draft", data={"reveal": "1", "reveal_why": "  "})
    page = alice.get(claim).text
    assert is_covered(page)
    assert "Say why you need to see it." in page
    alice.post(f"{claim}/draft", data={"reveal": "1", "reveal_why": "The customer called"})
    assert IBAN in alice.get(claim).text
    assert bob.post(f"/items/{item_id}/reveals", data={"why": ""}).status_code == 303
    assert is_covered(bob.get(f"/items/{item_id}").text)
    api = client.post(f"/api/v1/items/{item_id}/reveals", json={}, headers=cast.bob.bearer)
    assert (api.status_code, api.json["errors"][0]["pointer"]) == (422, "/why")
    assert [json.loads(event.payload)["why"] for event in reveals(app)] == ["The customer called"]


def test_pages_of_the_item_cover_it_for_each_person_on_their_own(app, cast, marked):
    item_id = marked()
    bob, auditor, analyst = (signed_in(app, who) for who in (cast.bob, cast.auditor, cast.analyst))
    for browser in (bob, auditor, analyst):
        assert is_covered(browser.get(f"/items/{item_id}").text)
    assert is_covered(bob.get(f"/items/{item_id}/comments").text.replace(COVER, COVER))
    assert IBAN not in bob.get("/queues/intents/items?q=DE0212").text.replace("q=DE0212", "")
    assert bob.post(f"/items/{item_id}/reveals").status_code == 303
    assert IBAN in bob.get(f"/items/{item_id}").text
    assert IBAN in bob.get(f"/items/{item_id}/comments").text
    assert is_covered(auditor.get(f"/items/{item_id}").text)
    # Not by role: who exports what others said needs nobody's account.
    assert "/reveals" not in analyst.get(f"/items/{item_id}").text
    assert analyst.post(f"/items/{item_id}/reveals").status_code == 403


def test_a_search_finds_nothing_for_who_may_not_be_shown_it(app, client, cast, marked):
    found = marked()
    body = item(2, input={"text": "DE021 is a word here", "iban": ""}, metadata={"phone": "", "shop": "north"})
    other = client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).json["id"]
    bob, analyst = (signed_in(app, who) for who in (cast.bob, cast.analyst))
    for query, seen_by_bob, seen_by_analyst in (
        ("q=de021", {found, other}, {other}),
        (f"q={IBAN}", {found}, set()),
        ("q=12345678901234567890", {found}, set()),
        (f"meta=phone={PHONE.replace('+', '%2B')}", {found}, set()),
        ("meta=shop=north&q=1.5", {found}, {found}),
        ("q=Where it", {found}, {found}),
    ):
        for browser, seen in ((bob, seen_by_bob), (analyst, seen_by_analyst)):
            page = browser.get(f"/queues/intents/items?{query}").text
            assert {each for each in (found, other) if f"/items/{each}" in page} == seen, query
    for query, chosen in (("q=de021", 1), (f"q={IBAN}", 0)):
        form = {"which": "all", "action": "reopen", "reason": "Look again", "query": query}
        page = analyst.post("/queues/intents/bulk", data=form, follow_redirects=True).text
        assert ("No item is chosen" in page) is (chosen == 0), query


def test_people_read_it_covered_over_the_api_and_programs_as_it_was_sent(app, client, cast, marked):
    item_id = marked()
    mine = client.get(f"/api/v1/items/{item_id}", headers=cast.bob.bearer)
    assert is_covered(mine.text)
    assert '"m":1.5' in mine.text
    assert IBAN in client.get(f"/api/v1/items/{item_id}", headers=cast.submitter.bearer).text
    assert is_covered(client.get("/api/v1/items?queue=intents", headers=cast.bob.bearer).text)
    claimed = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer)
    assert is_covered(claimed.text)
    assert claimed.json["item"]["hidden"] == MARKED["sensitive"]
    claim_id = claimed.json["claim"]["id"]
    seen = client.post(f"/api/v1/claims/{claim_id}/reveals", json={}, headers=cast.alice.bearer)
    assert seen.json["input"]["iban"] == IBAN
    assert "12345678901234567890" in seen.text
    again = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer)
    assert (again.json["item"]["input"]["iban"], again.json["item"]["hidden"]) == (IBAN, [])
    assert len(reveals(app)) == 1


def test_who_withdraws_an_item_is_shown_no_more_than_who_reads_it(app, client, cast, marked):
    address = f"/api/v1/items/{marked()}"
    for _ in range(2):
        answer = client.post(f"{address}/cancellation", json={}, headers=cast.admin.bearer)
        assert (answer.status_code, answer.json["state"]) == (200, "cancelled")
        assert IBAN not in answer.text
        assert PHONE not in answer.text
    assert IBAN in client.post(f"{address}/cancellation", json={}, headers=cast.submitter.bearer).text
    assert reveals(app) == []


def test_a_claim_of_somebody_else_reveals_nothing(app, client, cast, marked):
    app.config["WTF_CSRF_ENABLED"] = False
    marked()
    claim_id = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).json["claim"]["id"]
    refused = client.post(f"/api/v1/claims/{claim_id}/reveals", json={}, headers=cast.carol.bearer)
    assert (refused.status_code, IBAN in refused.text) == (403, False)
    carol = signed_in(app, cast.carol)
    carol.post(f"/claims/{claim_id}/draft", data={"comment": "Mine?", "reveal": "1"})
    assert is_covered(carol.get(f"/claims/{claim_id}").text)
    assert reveals(app) == []
    # A lead may read every item of the queue anyway, and that is recorded, too.
    assert IBAN in client.post(f"/api/v1/claims/{claim_id}/reveals", json={}, headers=cast.bob.bearer).text
    client.post(f"/api/v1/claims/{claim_id}/release", json={}, headers=cast.alice.bearer)
    assert IBAN in client.post(f"/api/v1/claims/{claim_id}/reveals", json={}, headers=cast.alice.bearer).text
    assert [event.actor for event in reveals(app)] == [cast.bob.id, cast.alice.id]


def test_the_grid_covers_it(app, cast, marked):
    marked()
    alice = signed_in(app, cast.alice)
    alice.post("/queues/intents/grid")
    page = alice.get("/queues/intents/grid").text
    if not re.search(r'data-claim="[^"]+"', page):
        pytest.fail(page[:3000])
    assert IBAN not in page
    assert COVER in page


def test_an_export_leaves_it_out_unless_an_administrator_says_otherwise(app, client, cast, marked):
    marked()
    decided(client, cast)
    refused = client.post("/api/v1/exports", json={"queue": "intents", "sensitive": True}, headers=cast.analyst.bearer)
    assert refused.status_code == 403
    found = {}
    for who, sensitive in ((cast.analyst, False), (cast.admin, True)):
        body = {"queue": "intents", "sensitive": sensitive}
        export_id = client.post("/api/v1/exports", json=body, headers=who.bearer).json["id"]
        with app.app_context(), read_session() as session:
            made = session.get(DatasetVersion, export_id)
            (row, _decisions), *others = selection.Reader(session, made).read(session, None, None)[0]
        assert not others
        found[sensitive] = json.loads(row.input), json.loads(row.metadata_json)
    assert found[False] == ({"text": "Where is it?", "rows": [{"m": 1.5}], "none": None}, {"shop": "north"})
    assert found[True] == (GIVEN, {"phone": PHONE, "shop": "north"})
    assert exports.NO_RECIPE.sensitive is False


def test_the_lines_of_lists_cover_it(app, client, cast, marked):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**MARKED, "view": {"type": "choice", "output": "label"}})
    body = item(input={"text": "x", "iban": IBAN}, metadata={"phone": PHONE})
    client.post("/api/v1/items", json=body, headers=cast.submitter.bearer)
    claim = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).json["claim"]["id"]
    alice, bob = signed_in(app, cast.alice), signed_in(app, cast.bob)
    client.post(f"/api/v1/claims/{claim}/decision", json={"verdict": "approve"}, headers=cast.alice.bearer)
    for browser, path in ((alice, "/decisions"), (bob, "/queues/intents/items")):
        assert is_covered(browser.get(path).text), path


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_command_line_leaves_it_out_unless_told_otherwise(app, client, cast, marked, tmp_path):
    marked()
    decided(client, cast)
    found = {}
    for flags in ((), ("--sensitive",)):
        out = tmp_path / f"out{len(flags)}"
        with app.app_context():
            done = CliRunner().invoke(export, ["intents", "--out", str(out), "--json", *flags], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found[flags] = "".join(path.read_text() for path in out.rglob("*.jsonl"))
    assert IBAN not in found[()]
    assert PHONE not in found[()]
    assert "Where is it?" in found[()]
    assert json.loads(found["--sensitive",])["input"]["iban"] == IBAN
    with app.app_context(), read_session() as session:
        query = select(AuditEvent.facts).where(AuditEvent.action == "export.requested").order_by(AuditEvent.id)
        told = [json.loads(facts)["recipe"] for facts in session.scalars(query)]
    assert [recipe.get("sensitive", False) for recipe in told] == [False, True]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_box_on_the_page_of_exports_is_for_administrators(app, client, cast, marked):
    app.config["WTF_CSRF_ENABLED"] = False
    marked()
    form = {"queue": "intents", "format": "jsonl", "sensitive": "y"}
    for who, shown, status in ((cast.analyst, False, 403), (cast.admin, True, 303)):
        browser = signed_in(app, who)
        assert ('name="sensitive"' in browser.get("/exports").text) is shown
        assert browser.post("/exports", data=form).status_code == status
    with app.app_context(), read_session() as session:
        [recipe] = session.scalars(select(DatasetVersion.recipe)).all()
    assert json.loads(recipe)["sensitive"] is True
