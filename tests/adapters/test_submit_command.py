"""`reviewqueue submit FILE`: lines, tables, refusals; what was stored is not stored again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from reviewqueue.adapters.commands import submit
from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Invalid, NotFound
from reviewqueue.intake.imports import CHUNK_LINES
from reviewqueue.models import Item
from reviewqueue.queues.applying import apply
from tests.fixtures.people import OPERATOR, item
from tests.fixtures.processes import until

SHOP: dict[str, Any] = {
    "name": "shop",
    "input_schema": {"type": "object", "properties": {"text": {"type": "string"}, "count": {"type": "integer"}}},
    "output_schema": {
        "type": "object", "properties": {"total": {"type": "number"}, "paid": {"type": "boolean"},
                                         "code": {"type": "string"}},
    },
    "routing": {"otherwise": "review"},
}  # fmt: skip


@pytest.fixture
def ran(app: Any, cast: Any) -> Any:
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=SHOP)

    def run(*arguments: str) -> Any:
        with app.app_context():
            return CliRunner().invoke(submit, list(arguments))

    return run


def stored(app: Any) -> list[Any]:
    with app.app_context(), read_session() as session:
        rows = session.execute(select(Item.external_id, Item.input, Item.output, Item.confidence).order_by(Item.id))
        return [(row[0], json.loads(row[1]), json.loads(row[2]), row[3]) for row in rows]


def test_lines_are_stored_and_refused_ones_are_told(ran, app, tmp_path):
    path, faults = tmp_path / "items.jsonl", tmp_path / "faults.ndjson"
    lines = [json.dumps(item(number=1, external_id="a")), "", "{", json.dumps(item(number=2, output={"label": "no"}))]
    path.write_text("\n".join(lines))
    answer = ran(str(path), "--queue", "intents", "--faults", str(faults))
    assert answer.exit_code == 1
    assert "1 stored, 0 there already, 2 refused." in answer.output
    assert "line 3: " in answer.output
    assert "/output/label" in answer.output
    assert [json.loads(line)["line"] for line in faults.read_text().splitlines()] == [3, 4]
    path.write_text(lines[0])
    again = ran(str(path), "--queue", "intents", "--json")
    assert (again.exit_code, json.loads(again.stdout)) == (0, {"stored": 0, "repeated": 1, "refused": 0})
    assert len(stored(app)) == 1


def test_a_table_becomes_items_of_the_types_that_the_schema_names(ran, app, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text(
        "external_id,text,input.count,output.total,output.paid,output.code,confidence,metadata.shop\n"
        'a,"Tea, two cups",2,33.90,TRUE,007,0.5,north\n'
        "b,Milk,,1,false,1e3,,\n"
    )
    answer = ran(str(path), "--queue", "shop")
    assert answer.exit_code == 0, answer.output
    assert stored(app) == [
        ("a", {"text": "Tea, two cups", "count": 2}, {"total": 33.9, "paid": True, "code": "007"}, 0.5),
        ("b", {"text": "Milk"}, {"total": 1, "paid": False, "code": "1e3"}, None),
    ]


def test_a_cell_that_is_no_number_is_pointed_at(ran, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("text,output.total\nTea,much\n")
    answer = ran(str(path), "--queue", "shop")
    assert answer.exit_code == 1
    assert "/output/total" in answer.output


def test_faults_of_a_table_name_the_line_of_the_file_and_what_has_no_name_is_counted(ran, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("external_id,text,output.total\na,Tea,1\n,Milk,2\nc,Bread,much\n")
    answer = ran(str(path), "--queue", "shop")
    assert "line 4: " in answer.output
    assert "1 without external_id: sent again, they are stored again." in answer.output


def test_a_table_without_an_output_is_refused_once(ran, app, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("id,text,label,score\n1,Tea,x,2\n2,Milk,y,3\n")
    answer = ran(str(path), "--queue", "shop")
    assert isinstance(answer.exception, Invalid)
    assert "There is no column output or output.NAME" in str(answer.exception)
    assert stored(app) == []


def test_a_table_may_be_separated_as_spreadsheets_do(ran, app, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text('external_id;text;output.total\na;"Tea; two cups";2\n')
    assert ran(str(path), "--queue", "shop").exit_code == 0
    assert stored(app) == [("a", {"text": "Tea; two cups"}, {"total": 2}, None)]


ROWS = "".join(f"{number},Tea,1\n" for number in range(2_500))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (f"external_id,text,output.total\n{ROWS}x,caf\xe9,2\n", "Line 2502, column 6 is not UTF-8"),
        (f'external_id,text,output.total\n{ROWS}x,"Tea,2\ny,Milk,3\n', "line 2502 cannot be read: a double quote"),
        ("text,text,output.total\nTea,Milk,1\n", "must name each column, once"),
        ("text,output,output.total\nTea,{},1\n", "output is the whole output, and output.total a part of it"),
        ("input,text,output.total\n{},Tea,1\n", "input is the whole input, and text a part of it"),
        (" \n\n", "The file is empty"),
        ("", "The file is empty"),
    ],
)
def test_a_table_that_cannot_be_read_to_its_end_is_refused_whole_and_says_where(ran, app, tmp_path, table, words):
    path = tmp_path / "items.csv"
    path.write_bytes(table.encode("latin-1"))
    answer = ran(str(path), "--queue", "shop")
    assert isinstance(answer.exception, Invalid)
    assert words in str(answer.exception)
    assert stored(app) == []


def test_a_row_with_a_cell_too_many_is_refused_and_hinders_no_other(ran, app, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("external_id,text,output.total\na,Tea, with milk,1\nb,Milk,2\nc,Bread\n")
    answer = ran(str(path), "--queue", "shop")
    assert (answer.exit_code, [row[0] for row in stored(app)]) == (1, ["b"])
    assert "line 2, column 4 has 4 cells, and the first line 3" in answer.output
    assert "line 4, column 3 has 2 cells" in answer.output


def test_a_cell_may_be_as_long_as_an_item(ran, app, tmp_path):
    path = tmp_path / "items.csv"
    path.write_text(f"external_id,text,output.total\na,{'x' * 300_000},1\n")
    assert ran(str(path), "--queue", "shop").exit_code == 0
    assert len(stored(app)[0][1]["text"]) == 300_000


def test_parquet_keeps_its_types(ran, app, tmp_path):
    path = tmp_path / "items.parquet"
    rows = [{"external_id": "a", "text": "Tea", "input.count": 2, "output.total": 1.5, "output.paid": True}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert ran(str(path), "--queue", "shop").exit_code == 0
    assert stored(app) == [("a", {"text": "Tea", "count": 2}, {"total": 1.5, "paid": True}, None)]


def test_other_kinds_of_files_and_unknown_queues_are_refused(ran, tmp_path):
    path = Path(tmp_path / "items.xlsx")
    path.write_text("x")
    answer = ran(str(path), "--queue", "shop")
    assert ".csv" in str(answer.exception)
    assert isinstance(ran(str(path), "--queue", "nowhere").exception, NotFound)


def test_tasks_of_label_studio_and_requests_of_a2i_are_taken(ran, app, tmp_path):
    tasks = [
        {"id": 7, "data": {"text": "Where is it?"}, "predictions": [{"model_version": "m-1", "score": 0.4, "result": [
            {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["refund"]}}]}]},
        {"id": 8},
    ]  # fmt: skip
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(tasks))
    answer = ran(str(path), "--queue", "intents", "--format", "label-studio")
    assert answer.exit_code == 1
    assert "1 stored, 0 there already, 1 refused." in answer.output
    assert "line 2: " in answer.output
    content = {"input": {"text": "Lost it"}, "output": {"label": "lost_card"}, "confidence": 0.5}
    request = {
        "HumanLoopName": "loop-1", "FlowDefinitionArn": "arn:aws:sagemaker:x:1:flow-definition/intents",
        "HumanLoopInput": {"InputContent": json.dumps(content)},
    }  # fmt: skip
    path.write_text(json.dumps(request))
    assert ran(str(path), "--queue", "intents", "--format", "a2i").exit_code == 0
    assert [row[0:3] for row in stored(app)] == [
        ("7", {"text": "Where is it?"}, {"label": "refund"}), ("loop-1", {"text": "Lost it"}, {"label": "lost_card"}),
    ]  # fmt: skip


def test_the_file_itself_is_never_where_faults_are_written(ran, app, tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text("{")
    (tmp_path / "same.jsonl").hardlink_to(path)
    for faults in (path, tmp_path / "same.jsonl"):
        answer = ran(str(path), "--queue", "intents", "--faults", str(faults))
        assert answer.exit_code == 2
        assert "it would be overwritten" in answer.output
    assert path.read_text() == "{"


def test_broken_off_it_says_what_is_stored_and_that_it_may_be_sent_again(app, live, cast, tmp_path):
    pipe = tmp_path / "items.jsonl"
    os.mkfifo(pipe)
    sent = "".join(json.dumps(item(number=number, external_id=f"e{number}")) + "\n" for number in range(CHUNK_LINES))
    command = live.start("submit", str(pipe), "--queue", "intents")
    with pipe.open("w") as end:
        end.write(sent)
        end.flush()
        until(lambda: len(stored(app)) == CHUNK_LINES, seconds=60, what="a chunk")
        command.send_signal(signal.SIGINT)
        assert command.wait(30) == 130
    assert "1,000 stored, 0 there already, 0 refused." in live.log("submit")
    assert "Broken off. Send the file again: items with an external_id are stored once." in live.log("submit")
