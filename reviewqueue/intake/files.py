"""Items from files: JSON lines, CSV and Parquet, as JSON text a line, whatever the file's kind. Pure but for reading.

A table's columns are members of an item where they bear such a name (`external_id`, `confidence`, `model`, …); others
are `input.<name>`, `output.<name>` or `metadata.<name>`; a column without a prefix belongs to the input. A cell of text
becomes a number or a boolean where the queue's schema says that the member is one.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reviewqueue.errors import Fault, Invalid
from reviewqueue.intake import tables
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.schemas import property_schema

LINES = {".jsonl", ".ndjson"}
KINDS = (*sorted(LINES), ".csv", ".parquet")
NUMBERS = {"confidence", "cost", "latency_ms"}
_PARTS = ("input", "output", "metadata")


def lines_of(path: Path, config: QueueConfig) -> Iterator[tuple[int, bytes | Invalid]]:
    """The file's items, one JSON object each, or why one is none, with the line of the file that it ends in; of
    Parquet, its row.

    Raises `Invalid`, before it gives anything, for a kind of file that is not known, for a CSV that cannot be read to
    its end, and for a table in which nothing is the output.
    """
    kind = path.suffix.lower()
    if kind in LINES:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip(b"\r\n")
    elif kind == ".csv":
        yield from _csv_lines(path, config)
    elif kind == ".parquet":
        for number, row in enumerate(_parquet_rows(path), 1):
            yield number, _text(row, config)
    else:
        raise Invalid(f"{path.name} is of no kind that can be read: {', '.join(KINDS)}.")


def _csv_lines(path: Path, config: QueueConfig) -> Iterator[tuple[int, bytes | Invalid]]:
    # Read twice, so that nothing is stored of a file that cannot be read to its end.
    _check_encoding(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        delimiter = tables.delimiter_of(next(filter(str.strip, file)))
    for _ in _csv_rows(path, delimiter):
        pass
    rows = _csv_rows(path, delimiter)
    _, names = next(rows)
    tables.check_names(names)
    _check_columns(names)
    for line, cells in rows:
        if len(cells) != len(names):
            why = f"The row has too many cells, or too few: {tables.quoting(delimiter)}"
            yield line, Invalid(why, [tables.ragged(line, cells, names)], code="bad_table")
            continue
        yield line, _text(dict(zip(names, cells, strict=True)), config)


def _csv_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        yield from tables.rows_of(file, delimiter)


def _check_encoding(path: Path) -> None:
    is_empty = True
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            is_empty = is_empty and not line.removeprefix(codecs.BOM_UTF8).strip()
            try:
                line.decode()
            except UnicodeDecodeError as error:
                raise tables.not_utf8(number, line[: error.start], line[error.start]) from None
    if is_empty:
        raise Invalid("The file is empty.", code="bad_table")


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow.parquet as parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise Invalid("Parquet needs pyarrow: pip install 'reviewqueue[parquet]'.") from None
    file = parquet.ParquetFile(path)
    _check_columns(file.schema_arrow.names)
    for batch in file.iter_batches(1_000):
        yield from batch.to_pylist()


def _check_columns(columns: Sequence[str]) -> None:
    for part in _PARTS:
        also = [column for column in columns if column != part and _part_of(column) == part]
        if part in columns and also:
            fault = Fault(f"line 1, column {columns.index(also[0]) + 1}", f"is a part of {part}")
            why = f"The column {part} is the whole {part}, and {also[0]} a part of it: keep one or the other."
            raise Invalid(why, [fault], code="bad_table")
    if any(column == "output" or column.startswith("output.") or column == "failure" for column in columns):
        return
    found = ", ".join(columns)
    raise Invalid(
        f"There is no column output or output.NAME. The columns are: {found}. What an AI said belongs into columns "
        "such as output.label."
    )


def _part_of(column: str) -> str:
    """Of which part of an item the column is; of none, its own name."""
    name, dot, _ = column.partition(".")
    if column in _PARTS or (dot and name in _PARTS):
        return name
    return column if column in ItemShape.model_fields else "input"


def _text(row: Mapping[str, Any], config: QueueConfig) -> bytes:
    return json.dumps(item_of(row, config), ensure_ascii=False, default=str).encode()


def item_of(row: Mapping[str, Any], config: QueueConfig) -> dict[str, Any]:
    """A row of a table as an item. Empty cells are left out."""
    item: dict[str, Any] = {"input": {}, "output": {}}
    for column, cell in row.items():
        if cell is None or cell == "":
            continue
        part = _part_of(column)
        if column in _PARTS:
            item[part] = _json(cell)
        elif part in _PARTS:
            name = column.removeprefix(f"{part}.")
            item.setdefault(part, {})[name] = _typed(cell, _schema_of(part, name, config))
        else:
            item[part] = _typed(cell, {"type": "number"} if part in NUMBERS else {})
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
