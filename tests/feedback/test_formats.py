"""Each format as its consumer reads it, from rows made by hand; a whole folder as `datasets` loads it."""

from __future__ import annotations

import io
import json
import re
from types import SimpleNamespace

import jsonschema_rs
import pandas
import pytest

from reviewqueue.core.strictjson import exact
from reviewqueue.feedback.formats import FORMATS, KNOWN, writer
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.records import record_line
from reviewqueue.queues.views import View
from tests.desk_steps import decide, submit
from tests.feedback.test_exports import _export
from tests.feedback.test_records import _decision, _row

ROLES = ["system", "user", "assistant", "tool"]
MESSAGE = {"type": "object", "required": ["role", "content"], "properties": {"role": {"enum": ROLES}}}
MESSAGES = {"type": "array", "minItems": 1, "items": MESSAGE}
OPENAI_PREFERENCE = {
    "type": "object", "additionalProperties": False, "required": ["input", "preferred_output", "non_preferred_output"],
    "properties": {
        "input": {
            "type": "object", "additionalProperties": False, "required": ["messages"],
            "properties": {
                "messages": MESSAGES, "tools": {"type": "array"}, "parallel_tool_calls": {"type": "boolean"},
            },
        },
        "preferred_output": {**MESSAGES, "items": {**MESSAGE, "properties": {"role": {"const": "assistant"}}}},
        "non_preferred_output": {**MESSAGES, "items": {**MESSAGE, "properties": {"role": {"const": "assistant"}}}},
    },
}  # fmt: skip
"""As the provider's reference of preference fine-tuning says."""


def _written(kind, view, *rows):
    made = writer(kind, Frame({3: view}, labels=["a", "b"]))
    text = made.begin()
    text += b"".join(made.take(row, said, (), record_line(row, said)) for row, said in rows)
    return text + made.end()


def _lines(kind, view, *rows):
    return [json.loads(line) for line in _written(kind, view, *rows).splitlines()]


def _judged(given, output, final, verdict, *, metadata="{}", **members):
    said = _decision(output=json.dumps(final), verdict=verdict, **members)
    made = _row(json.dumps(output), json.dumps(final), input=json.dumps(given), verdict=verdict, metadata_json=metadata,
                probability=0.5, external_id="x-1")  # fmt: skip
    return made, [said]


CHOICE = View(type="choice", input="text", output="label")
APPROVED = _judged({"text": "Hi"}, {"label": "a"}, {"label": "a"}, "approve")
CHANGED = _judged({"text": "Ho"}, {"label": "a"}, {"label": "b"}, "override")
REJECTED = _judged({"text": "Ha"}, {"label": "a"}, None, "reject", reason="unusable")
THREE = (APPROVED, CHANGED, REJECTED)


def test_classification_is_text_and_label_with_the_inverse_chance_as_weight():
    frame = pandas.read_json(io.BytesIO(_written("classification", CHOICE, *THREE)), lines=True)
    assert frame[["text", "label", "weight"]].to_numpy().tolist() == [["Hi", "a", 2.0], ["Ho", "b", 2.0]]
    several = _judged({"text": "Hi"}, ["a"], ["a", "b"], "edit")
    [example] = _lines("classification", View(type="multi_choice", input="text"), several)
    assert example["labels"] == ["a", "b"]


def test_fine_tuning_ends_with_what_stands():
    found = _lines("sft", CHOICE, *THREE)
    assert found == [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]}
        for text, label in (("Hi", "a"), ("Ho", "b"))
    ]  # fmt: skip
    chat = {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "f"}}]}  # fmt: skip
    view = View(type="chat", output="reply")
    [one] = _lines("sft", view, _judged(chat, {"reply": "No."}, {"reply": {"content": "Hello."}}, "edit"))
    assert [message["role"] for message in one["messages"]] == ["system", "user", "assistant"]
    assert one["messages"][-1]["content"] == "Hello."
    assert one["tools"] == chat["tools"]
    assert all(jsonschema_rs.is_valid(MESSAGES, line["messages"]) for line in [*found, one])


def test_pairs_are_made_of_corrections_alone():
    [pair] = _lines("preference-openai", CHOICE, *THREE)
    assert jsonschema_rs.is_valid(OPENAI_PREFERENCE, pair)
    assert (pair["preferred_output"][0]["content"], pair["non_preferred_output"][0]["content"]) == ("b", "a")
    [pair] = _lines("preference-trl", CHOICE, *THREE)
    assert pair == {
        "prompt": [{"role": "user", "content": "Ho"}], "chosen": [{"role": "assistant", "content": "b"}],
        "rejected": [{"role": "assistant", "content": "a"}],
    }  # fmt: skip
    assert _lines("preference-trl", CHOICE, _judged({"text": "x"}, None, {"label": "b"}, "override")) == []


def test_candidates_make_pairs_of_the_best_and_of_neighbours():
    given = {"question": "Why?", "candidates": [{"id": one, "output": one.upper()} for one in "abc"]}

    def pairs(said):
        judged = _judged(given, {"best": "a"}, {"best": said}, "override")
        found = _lines("preference-trl", View(type="compare", output="best"), judged)
        assert all(pair["prompt"][0]["content"] == "Why?" for pair in found)
        return [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in found]

    assert pairs("b") == [("B", "A"), ("B", "C")]
    assert pairs(["c", "a", "b"]) == [("C", "A"), ("A", "B")]
    assert pairs(None) == []


def test_unpaired_an_approval_is_liked_a_rejection_not_and_a_correction_both():
    found = _lines("kto", CHOICE, *THREE)
    assert [(one["prompt"][0]["content"], one["completion"][0]["content"], one["label"]) for one in found] == [
        ("Hi", "a", True), ("Ho", "b", True), ("Ho", "a", False), ("Ha", "a", False),
    ]  # fmt: skip


SPANS = View(type="spans", input="text", output="found")
TEXT = "Ünal lives in New York City, not in York."


def _spans(*spans):
    found = [{"start": TEXT.index(text), "end": TEXT.index(text) + len(text), "label": label} for text, label in spans]
    return _judged({"text": TEXT}, {"found": []}, {"found": found}, "edit")


def test_spans_are_offsets_or_tags_of_words():
    [one] = _lines("spans", SPANS, _spans(("Ünal", "PER"), ("New York City", "LOC")))
    assert [TEXT[span["start"] : span["end"]] for span in one["spans"]] == ["Ünal", "New York City"]
    [one] = _lines("iob", SPANS, _spans(("Ünal", "PER"), ("New York City", "LOC"), ("New", "ADJ")))
    tags = ["B-PER", "O", "O", "B-LOC", "I-LOC", "I-LOC", "O"]
    assert (one["tokens"][:6], one["tags"][:7]) == (TEXT.replace(",", "").split()[:6], tags)
    assert len(one["tokens"]) == len(one["tags"])
    assert not re.search(r"O (I-)", " ".join(one["tags"]))


def test_fields_have_a_row_each_before_and_after():
    judged = _judged({}, {"total": 1, "note": "=x"}, {"total": 2, "note": "=x"}, "edit")
    frame = pandas.read_csv(io.BytesIO(_written("tabular", View(type="json"), judged, REJECTED))).set_index("pointer")
    assert frame.loc["/total", ["before", "after", "state"]].tolist() == ["1", "2", "changed"]
    assert frame.loc["/note", "before"] == '"=x"'
    assert len(frame) == 2


def test_answers_of_people_are_a_long_frame():
    row, said = CHANGED
    other = _decision(output='{"label": "a"}', pseudonym="q")
    frame = pandas.read_csv(io.BytesIO(_written("crowd", CHOICE, (row, [*said, other]))))
    assert frame.columns.tolist() == ["task", "worker", "label"]
    assert frame.to_numpy().tolist() == [["i", "p", "b"], ["i", "q", "a"]]


def test_human_loops_are_as_the_service_writes_them():
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:flow-definition/docs"
    metadata = json.dumps({"a2i": {"flow_definition_arn": arn}})
    [loop] = _lines(
        "a2i", CHOICE, _judged({"text": "Hi"}, {"label": "a"}, {"label": "b"}, "override", metadata=metadata)
    )
    assert (loop["flowDefinitionArn"], loop["humanLoopName"]) == (arn, "x-1")
    assert set(loop) == {"flowDefinitionArn", "humanLoopName", "humanAnswers", "inputContent"}
    [answer] = loop["humanAnswers"]
    assert set(answer) == {"answerContent", "submissionTime", "workerId", "workerMetadata"}
    assert (answer["answerContent"], answer["workerId"]) == ({"label": "b"}, "p")


def test_numbers_in_examples_keep_their_digits():
    row, said = _judged({"n": 0}, {"label": "a"}, {"label": "a"}, "approve")
    row.input = '{"n": 12345678901234567890.10}'
    assert b"12345678901234567890.10" in _written("sft", View(type="json"), (row, said))
    assert exact('{"a": 1.10}')["a"].text == "1.10"


@pytest.mark.parametrize("kind", [name for name in FORMATS if KNOWN[name].types is None])
def test_no_format_stumbles_over_an_output_that_is_missing(kind):
    """The AI failed; nobody decided; an input that is no object."""
    view = View(type="json")
    row, said = _judged({}, None, {"a": 1}, "override")
    row.input = "[1, 2]"
    undecided = SimpleNamespace(**{**vars(row), "final_output": "null"}), []
    assert isinstance(_written(kind, view, (row, said), undecided), bytes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:mlcroissant")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_folder_is_loaded_by_the_library_it_is_for(client, cast, app, tmp_path, monkeypatch):
    for number in range(6):
        submit(client, cast, number=number, external_id=f"i{number}")
        decide(client, cast.alice, output={"label": "refund"})
    wanted = {"format": "huggingface", "splits": {"train": 0.5, "test": 0.5}, "salt": "a"}
    export = _export(client, cast, app, **wanted)
    assert [file["name"] for file in export["files"]] == [
        "data/test-00000-of-00001.parquet", "data/train-00000-of-00001.parquet", "README.md",
        "croissant.json", "manifest.json",
    ]  # fmt: skip
    for file in export["files"]:
        path = tmp_path / "folder" / file["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with client.get(f"/api/v1/exports/{export['id']}/files/{file['name']}", headers=cast.anna.bearer) as got:
            path.write_bytes(got.data)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    found = datasets.load_dataset(str(tmp_path / "folder"), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train", "test"}
    rows = [*found["train"], *found["test"]]
    assert {row["external_id"] for row in rows} == {f"i{number}" for number in range(6)}
    assert {json.loads(row["final_output"])["label"] for row in rows} == {"refund"}
    assert json.loads(rows[0]["decisions"])[0]["verdict"] == "override"
    assert found["train"].features["resolved_at"].dtype == "timestamp[ms, tz=UTC]"
    import mlcroissant

    described = mlcroissant.Dataset(jsonld=str(tmp_path / "folder" / "croissant.json"))
    assert (described.metadata.ctx.issues.errors, described.metadata.ctx.issues.warnings) == (set(), set())
    for split in ("train", "test"):
        read = list(described.records(split))
        assert [one[f"{split}/external_id"].decode() for one in read] == found[split]["external_id"]
        assert [one[f"{split}/resolved_at"] for one in read] == found[split]["resolved_at"]
        assert {one[f"{split}/weight"] for one in read} == {1.0}
    told = json.loads((tmp_path / "folder" / "croissant.json").read_text())
    digests = {file["@id"]: file["sha256"] for file in told["distribution"] if file["@type"] == "cr:FileObject"}
    assert digests == {file["name"]: file["sha256"] for file in export["files"] if file["name"].startswith("data/")}
