"""Parquet: the columns of the CSV with their types, and the decisions as JSON. Pure; needs pyarrow, of the extra
parquet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from reviewqueue.core.strictjson import Raw, spliced
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.records import weight_of

ROWS = 5_000
"""Of a row group: what is held in memory."""


def schema() -> Any:
    """The columns, in order."""
    import pyarrow

    text, real, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    moment = pyarrow.timestamp("ms", tz="UTC")
    return pyarrow.schema([
        ("item_id", text), ("external_id", text), ("queue", text), ("config_version", whole), ("model", text),
        ("model_version", text), ("input", text), ("output", text), ("confidence", real), ("risk", text),
        ("verdict", text), ("final_output", text), ("resolved_by", text), ("revision", whole), ("resolved_at", moment),
        ("decisions", text), ("rule", whole), ("audit_sample", pyarrow.bool_()), ("probability", real),
        ("metadata", text), ("submitted_at", moment), ("weight", real),
    ])  # fmt: skip


class Parquet:
    """One file, a row group at a time."""

    def __init__(self, _: Frame) -> None:
        import pyarrow
        from pyarrow import parquet

        self._pyarrow, self._schema = pyarrow, schema()
        self._sink = _Sink()
        self._file = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[tuple[Any, ...]] = []
        self.rows = 0

    def begin(self) -> bytes:
        return b""

    def take(self, row: Any, decisions: Sequence[Any], _: Sequence[Any], __: bytes) -> bytes:
        self._waiting.append((
            row.id, row.external_id, row.slug, row.config_version, row.model, row.model_version, row.input, row.output,
            row.confidence, row.risk, row.verdict, row.final_output, row.by, row.revision, row.resolved_at,
            _decisions(decisions), row.rule, row.audit_sample, row.probability, row.metadata_json, row.created_at,
            weight_of(row),
        ))  # fmt: skip
        self.rows += 1
        if len(self._waiting) >= ROWS:
            self._flush()
        return self._sink.taken()

    def _flush(self) -> None:
        if self._waiting:
            columns = [
                self._pyarrow.array(values, type=kind)
                for values, kind in zip(zip(*self._waiting, strict=True), self._schema.types, strict=True)
            ]
            self._file.write_batch(self._pyarrow.record_batch(columns, schema=self._schema))
            self._waiting.clear()

    def end(self) -> bytes:
        self._flush()
        self._file.close()
        return self._sink.taken()


def _decisions(decisions: Sequence[Any]) -> str:
    return spliced([
        {"reviewer": one.pseudonym, "verdict": one.verdict, "output": Raw(one.output), "reason": one.reason,
         "spent_seconds": one.spent_seconds, "kind": one.kind, "round": one.round, "late": one.late}
        for one in decisions
    ])  # fmt: skip


class _Sink(io.RawIOBase):
    """Takes what pyarrow writes, until it is asked for."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        if not self._pieces:
            return b""
        found, self._pieces = b"".join(self._pieces), []
        return found
