"""Dataset versions: what came, went and changed; splits that do not leak; what is left out, and what is told of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from reviewqueue.core.db import write_session
from reviewqueue.core.trail import canonical
from reviewqueue.feedback import building, duplicates, storage
from reviewqueue.feedback.members import Comparison
from reviewqueue.feedback.recipe import Recipe, Unmapped, renamed
from reviewqueue.feedback.sieve import Sieve
from reviewqueue.models import DatasetShard, DatasetVersion, Item
from reviewqueue.queues.applying import apply
from tests.desk_steps import decide, submit
from tests.feedback.test_exports import _export, _text
from tests.fixtures.people import INTENTS, OPERATOR


def _records(client, cast, export):
    named = [place for place, file in enumerate(export["files"]) if file["name"] != "manifest.json"]
    lines = [line for place in named for line in _text(client, cast, export, place).splitlines()]
    return {record["external_id"]: record for record in map(json.loads, lines)}


def _beside(client, cast, export, name):
    """The files of that name in the manifest, one after the other."""
    with ExitStack() as stack:
        path = f"/api/v1/exports/{export['id']}/files/"
        answers = [client.get(path + file["name"], headers=cast.anna.bearer) for file in export["manifest"][name]]
        return b"".join(stack.enter_context(answer).data for answer in answers)


@pytest.fixture
def three(client, cast, app):
    for number in range(3):
        submit(client, cast, number=number, external_id=f"i{number}", subject=f"s{number}")
        decide(client, cast.alice, output={"label": "refund"})


def test_a_version_knows_what_came_went_and_changed(client, cast, app, three, monkeypatch):
    first = _export(client, cast, app)
    data = _text(client, cast, first)
    digests = [hashlib.sha256(line).hexdigest() for line in data.splitlines()]
    members = _beside(client, cast, first, "members")
    assert [line.split()[1].decode() for line in members.splitlines()] == digests
    assert first["digest"] == first["manifest"]["digest"] == hashlib.sha256(members).hexdigest()
    assert (first["parent"], first["changes"]) == (None, None)
    same = _export(client, cast, app, format="csv")
    assert (same["digest"], same["parent"]) == (first["digest"], 1)
    assert same["changes"] == {"added": 0, "changed": 0, "withdrawn": 0, "unchanged": 3}

    ids = {record["external_id"]: record["item_id"] for record in _records(client, cast, first).values()}
    client.put("/api/v1/opt-outs", json={"subject": "s0"}, headers=cast.admin.bearer)
    client.post(f"/api/v1/items/{ids['i1']}/reopenings", json={"reason": "wrong"}, headers=cast.bob.bearer)
    decide(client, cast.carol, output={"label": "card_arrival"})
    submit(client, cast, number=9, external_id="new")
    decide(client, cast.alice, verdict="approve")
    monkeypatch.setattr(building.selection, "SHARD_ROWS", 1)
    since = _export(client, cast, app, since_version=1)
    assert since["changes"] == {"added": 1, "changed": 1, "withdrawn": 1, "unchanged": 1}
    assert set(_records(client, cast, since)) == {"i1", "new"}
    assert _beside(client, cast, since, "withdrawn").decode().split() == [ids["i0"]]
    assert since["manifest"]["parent"] == {"export": first["id"], "number": 1, "digest": first["digest"]}
    assert len(_beside(client, cast, since, "members").splitlines()) == 3

    path = f"/api/v1/exports/{first['id']}/withdrawals"
    told = client.get(path, headers=cast.anna.bearer).json["withdrawals"]
    assert [(one["external_id"], one["why"]) for one in told] == [("i0", "opted_out"), ("i1", "revised")]
    page = client.get(f"{path}?limit=1", headers=cast.anna.bearer)
    rest = client.get(f"{path}?limit=1&cursor={page.json['cursor']}", headers=cast.anna.bearer).json
    assert [one["external_id"] for one in rest["withdrawals"]] == ["i1"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_manifest_tells_where_records_come_from(client, cast, app, three):
    manifest = _export(client, cast, app)["manifest"]
    assert (manifest["models"], manifest["config_versions"]) == (["intents@7"], [1])
    assert [policy["config_version"] for policy in manifest["policies"]] == [1]
    assert (manifest["verdicts"], list(manifest["reviewers"].values())) == ({"override": 3}, [3])
    assert cast.alice.id not in json.dumps(manifest)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_group_is_in_one_split_and_the_same_in_every_version(client, cast, app):
    for number in range(12):
        submit(client, cast, number=number, external_id=f"i{number}", metadata={"customer": f"c{number % 4}"})
        decide(client, cast.alice, verdict="approve")
    wanted = {"splits": {"train": 0.5, "test": 0.5}, "group_by": "$.customer", "salt": "s"}
    export = _export(client, cast, app, **wanted)
    placed: dict[str, set[str]] = {}
    for place, file in enumerate(export["manifest"]["files"]):
        assert file["name"].startswith(file["split"])
        for record in map(json.loads, _text(client, cast, export, place).splitlines()):
            placed.setdefault(record["metadata"]["customer"], set()).add(file["split"])
    hashed = {name: int(hashlib.sha256(f"s{name}".encode()).hexdigest()[:16], 16) / 2**64 for name in placed}
    assert placed == {name: {"test" if share < 0.5 else "train"} for name, share in hashed.items()}
    assert len(placed) == 4


def test_shares_of_splits_are_as_asked_for():
    recipe = Recipe(splits={"train": 0.8, "validation": 0.1, "test": 0.1})
    rows = (SimpleNamespace(slug="q", id=f"{number}", subject=None, external_id=None) for number in range(20_000))
    found = Counter(recipe.split_of(row, canonical) for row in rows)
    assert {name: round(count / 20_000, 2) for name, count in found.items()} == recipe.splits


@pytest.mark.parametrize(("group_by", "group"), [
    (None, "ann"), ("$.who.id", "7"), ("$.nowhere", "ann"), ("$.tier", "gold"), ("input", '{"who":{"id":7}}'),
])  # fmt: skip
def test_a_group_is_named_by_input_metadata_subject(group_by, group):
    row = SimpleNamespace(input='{"who": {"id": 7}}', metadata_json='{"tier": "gold"}', subject="ann", external_id="x")
    assert Recipe(group_by=group_by).group_of(row, canonical) == group


def test_of_items_with_the_same_input_the_newest_answer_stays(client, cast, app):
    for number, label in enumerate(("refund", "card_arrival")):
        submit(
            client,
            cast,
            external_id=f"same{number}",
            input={"text": "Hi", "n": 1} if number else {"n": 1, "text": "Hi"},
        )
        decide(client, cast.alice, output={"label": label})
    submit(client, cast, external_id="other")
    decide(client, cast.alice, verdict="approve")
    found = _records(client, cast, _export(client, cast, app, deduplicate=True))
    assert set(found) == {"same1", "other"}


def test_inputs_are_held_to_be_the_same_as_at_the_door():
    key = duplicates._key
    assert key('{"a": 1, "b": [2]}') == key('{"b":[2],"a":1}')
    assert key('{"id": 9007199254740993.0}') != key('{"id": 9007199254740992.0}'), "a float cannot tell them apart"


def test_filters_look_into_answers_models_and_people(client, cast, app, three):
    submit(client, cast, number=9, external_id="old", model_version="6")
    decide(client, cast.carol, verdict="approve")
    wanted = [
        ({"labels": ["refund"]}, {"i0", "i1", "i2"}), ({"labels": ["lost_card"]}, {"old"}),
        ({"models": ["intents@6"]}, {"old"}), ({"models": ["intents"]}, {"i0", "i1", "i2", "old"}),
        ({"reviews": 2}, set()), ({"reviewer_quality": 0.9}, {"i0", "i1", "i2", "old"}),
        ({"agreement": 1.0, "verdicts": ["approve"]}, {"old"}),
    ]  # fmt: skip
    for named, expected in wanted:
        assert set(_records(client, cast, _export(client, cast, app, filter=named))) == expected, named


def test_who_is_known_to_be_wrong_is_left_out_and_whoever_disagrees_counts():
    view = SimpleNamespace(output="label")
    row = SimpleNamespace(final_output='{"label": "a"}')
    said = [SimpleNamespace(pseudonym=who, late=False, output=f'{{"label": "{what}"}}') for who, what in
            (("p", "a"), ("q", "b"))]  # fmt: skip
    assert Sieve(agreement=0.5, reviews=2).keeps(view, row, said)
    assert not Sieve(agreement=0.6).keeps(view, row, said)
    assert not Sieve(doubtful=frozenset({"q"})).keeps(view, row, said)
    assert Sieve(labels=("a",)).keeps(view, row, said)


def test_gold_is_left_out_or_marked(client, cast, app, three):
    path = "/api/v1/queues/intents/gold"
    found = _records(client, cast, _export(client, cast, app))
    made = client.post(path, json={"item": found["i1"]["item_id"]}, headers=cast.bob.bearer)
    assert made.status_code in {200, 201}, made.json
    assert set(_records(client, cast, _export(client, cast, app))) == {"i0", "i2"}
    marked = _records(client, cast, _export(client, cast, app, filter={"include_gold": True}))
    assert {name: record.get("gold", False) for name, record in marked.items()} == {
        "i0": False, "i1": True, "i2": False,
    }  # fmt: skip


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_labels_are_exported_as_a_later_version_has_them(client, cast, app, three):
    schema = {**INTENTS["output_schema"], "properties": {"label": {"enum": ["money_back", "lost_card"]}}}
    submit(client, cast, number=8, external_id="gone", output={"label": "exchange_rate"})
    decide(client, cast.alice, verdict="approve")
    submit(client, cast, number=9, external_id="split", output={"label": "card_arrival"})
    decide(client, cast.alice, verdict="approve")
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "output_schema": schema})
    export = _export(client, cast, app, as_version=2, labels={"refund": "money_back", "card_arrival": None})
    found = _records(client, cast, export)
    assert {name: record["resolution"]["output"]["label"] for name, record in found.items()} == dict.fromkeys(
        ("i0", "i1", "i2"), "money_back"
    )
    assert found["i0"]["parts"][0]["now"] == found["i0"]["decisions"][0]["output"]["label"] == "money_back"
    assert export["manifest"]["dropped"] == {"does not fit the version": 1, "label card_arrival": 1}


def test_labels_of_lists_and_spans_are_renamed():
    view = SimpleNamespace(output="found")
    given = {"found": [{"start": 0, "end": 2, "label": "PER"}], "note": "PER"}
    assert renamed(view, given, {"PER": "person"}) == {
        "found": [{"start": 0, "end": 2, "label": "person"}], "note": "PER",
    }  # fmt: skip
    assert renamed(SimpleNamespace(output=None), ["a", "b"], {"a": "c"}) == ["c", "b"]
    with pytest.raises(Unmapped):
        renamed(view, given, {"PER": None})


def test_members_are_compared_without_being_held():
    def lines(pairs):
        return [f"{number:036} {digest}\n".encode() for number, digest in pairs]

    found = Comparison(iter(lines([(1, "a"), (2, "b"), (4, "d"), (6, "f")])))
    assert [found.take(line) for line in lines([(2, "b"), (3, "c"), (4, "x")])] == ["unchanged", "added", "changed"]
    found.end()
    assert found.taken_away() == b"".join(f"{number:036}\n".encode() for number in (1, 6))
    assert found.counted["withdrawn"] == 2


@pytest.mark.parametrize("body", [
    {"splits": {"train": 0.5}}, {"splits": {"Train": 1.0}}, {"group_by": "customer"}, {"since_version": 7},
    {"as_version": 9}, {"labels": {"a": "b"}}, {"filter": {"agreement": 2}},
])  # fmt: skip
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_cannot_be_made_is_refused_at_once(client, cast, body):
    answer = client.post("/api/v1/exports", json={"queue": "intents", **body}, headers=cast.anna.bearer)
    assert answer.status_code == 422, answer.json
    assert answer.json["errors"][0]["pointer"].split("/")[1] == next(iter(body))


def test_an_export_that_failed_is_written_when_it_is_tried_again(client, cast, app, three):
    asked = client.post("/api/v1/exports", json={"queue": "intents"}, headers=cast.anna.bearer)
    export_id, path = asked.json["id"], asked.headers["Location"]
    assert client.post(f"{path}/retry", headers=cast.anna.bearer).json["code"] == "export_not_failed"
    with app.app_context():
        [stale] = building.plan(export_id, renew=lambda: None)
        with write_session() as session:
            building.fail(session, export_id, "the disk is full")
        storage.remove(export_id)
    again = client.post(f"{path}/retry", headers=cast.anna.bearer)
    assert (again.status_code, again.json["state"], again.json["error"]) == (202, "pending", None)
    with app.app_context():
        building.write_shard(stale, renew=lambda: None)
        for shard_id in building.plan(export_id, renew=lambda: None):
            building.write_shard(shard_id, renew=lambda: None)
        with write_session() as session:
            assert session.scalars(select(DatasetShard.id)).one() != stale
    ready = client.get(path, headers=cast.anna.bearer).json
    assert (ready["state"], ready["progress"]) == ("ready", {"rows": 3, "expected": 3})


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_version_of_older_code_is_nobodys_parent(client, cast, app, three):
    first = _export(client, cast, app)
    with app.app_context(), write_session() as session:
        session.execute(update(DatasetVersion).values(digest=None))
        assert session.scalars(select(Item.id)).first()
    assert _export(client, cast, app)["parent"] is None
    assert first["number"] == 1
