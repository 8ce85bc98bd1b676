"""Items from files: JSON lines, CSV and Parquet, as JSON text a line, whatever the file's kind. Pure but for reading.

A table's columns are members of an item where they bear such a name (`external_id`, `confidence`, `model`, …); others
are `input.<name>`, `output.<name>` or `metadata.<name>`; a column without a prefix belongs to the input. A cell of text
becomes a number or a boolean where the queue's schema says that the member is one.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reviewqueue.errors import Invalid
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.schemas import property_schema

LINES = {".jsonl", ".ndjson"}
KINDS = (*sorted(LINES), ".csv", ".parquet")
NUMBERS = {"confidence", "cost", "latency_ms"}
_PARTS = ("input", "output", "metadata")


def lines_of(path: Path, config: QueueConfig) -> Iterator[tuple[int, bytes]]:
    """The file's items, one JSON object each, with the line of the file that it ends in; of Parquet, its row.

    Raises `Invalid` for a kind of file that is not known, and for a CSV in which nothing is the output.
    """
    kind = path.suffix.lower()
    if kind in LINES:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip(b"\r\n")
    elif kind == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            _check_columns(rows.fieldnames or ())
            for row in rows:
                yield rows.line_num, _text(row, config)
    elif kind == ".parquet":
        for number, row in enumerate(_parquet_rows(path), 1):
            yield number, _text(row, config)
    else:
        raise Invalid(f"{path.name} is of no kind that can be read: {', '.join(KINDS)}.")


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow.parquet as parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise Invalid("Parquet needs pyarrow: pip install 'reviewqueue[parquet]'.") from None
    for batch in parquet.ParquetFile(path).iter_batches(1_000):
        yield from batch.to_pylist()


def _check_columns(columns: Iterable[str]) -> None:
    if any(column == "output" or column.startswith("output.") or column == "failure" for column in columns):
        return
    found = ", ".join(columns)
    raise Invalid(
        f"There is no column output or output.NAME. The columns are: {found}. What an AI said belongs into columns "
        "such as output.label; columns are separated by commas."
    )


def _text(row: Mapping[str, Any], config: QueueConfig) -> bytes:
    return json.dumps(item_of(row, config), ensure_ascii=False, default=str).encode()


def item_of(row: Mapping[str, Any], config: QueueConfig) -> dict[str, Any]:
    """A row of a table as an item. Empty cells are left out."""
    item: dict[str, Any] = {"input": {}, "output": {}}
    for column, cell in row.items():
        if column is None or cell is None or cell == "":
            continue
        name, dot, rest = column.partition(".")
        if dot and name in _PARTS:
            item.setdefault(name, {})[rest] = _typed(cell, _schema_of(name, rest, config))
        elif column in ItemShape.model_fields and column not in _PARTS:
            item[column] = _typed(cell, {"type": "number"} if column in NUMBERS else {})
        elif column in ("input", "output"):
            item[column] = _json(cell)
        else:
            item["input"][column] = _typed(cell, _schema_of("input", column, config))
    if item["output"] == {}:
        item["output"] = None
    return item


def _schema_of(part: str, name: str, config: QueueConfig) -> Any:
    schema = {"input": config.input_schema, "output": config.output_schema}.get(part)
    return property_schema(schema, name) if schema is not None else None


def _typed(cell: Any, schema: Any) -> Any:
    if not isinstance(cell, str) or not isinstance(schema, Mapping):
        return cell
    if schema.get("type") in {"number", "integer", "boolean", "array", "object"}:
        return _json(cell)
    return cell


def _json(cell: Any) -> Any:
    """What the cell says as JSON; the text itself where it says nothing, so that the schema's fault points at it."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell.lower() if cell.lower() in {"true", "false"} else cell)
    except ValueError:
        return cell
