"""The feedback record, version 1: one line an item, with what the AI said, what people decided, and how it was sampled.
Pure. Content is spliced in as the text it was stored as, so that keys keep their order and numbers their digits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, as_written, exact, spliced_line
from reviewqueue.queues.routing import weight
from reviewqueue.resolution.verdicts import MISSING, leaves, same

VERSION = "reviewqueue.feedback/1"
SHORT = 512
"""Characters of two outputs whose parts are remembered."""


def record_line(row: Any, decisions: Sequence[Any]) -> bytes:
    """The record of an item in one line, without its end; `row` has the columns of item and resolution, `decisions` are
    in order of time."""
    record = {
        "record": VERSION, "item_id": row.id, "external_id": row.external_id, "queue": row.slug,
        "config_version": row.config_version, "model": row.model, "model_version": row.model_version,
        "input": Raw(row.input), "output": Raw(row.output), "confidence": row.confidence, "risk": row.risk,
        "resolution": {
            "verdict": row.verdict, "output": Raw(row.final_output), "by": row.by, "revision": row.revision,
            "resolved_at": iso(row.resolved_at),
        },
        "parts": parts(row, decisions), "decisions": [_decision(decision) for decision in decisions],
        "sampling": {
            "rule": row.rule, "audit_sample": row.audit_sample, "probability": row.probability,
            "weight": weight_of(row),
        },
        "metadata": Raw(row.metadata_json), "submitted_at": iso(row.created_at),
    }  # fmt: skip
    if row.gold:
        record["gold"] = True
    return spliced_line(record)


def weight_of(row: Any) -> float:
    """For how many items it stands, see `routing.weight`; `row` as for `record`."""
    return weight(row.action, row.audit_sample, row.probability)


def _decision(row: Any) -> dict[str, Any]:
    members = {
        "reviewer": row.pseudonym, "verdict": row.verdict, "output": Raw(row.output), "reason": row.reason,
        "suggested_label": row.suggested_label, "comment": row.comment, "message": row.message,
        "spent_seconds": row.spent_seconds, "decided_at": iso(row.decided_at), "config_version": row.config_version,
        "via": row.via, "kind": row.kind, "round": row.round, "blind": row.blind,
    }  # fmt: skip
    if row.late:
        members["late"] = True
    return members


def parts(row: Any, decisions: Sequence[Any]) -> list[dict[str, Any]]:
    """`[{pointer, was, now, state}]`, for `spliced`: every leaf of either output, and what became of it. Read only.

    `changed`: the leaf differs, came or went. `unseen`: the reviewer's desk said what was looked at, and this was not.
    `confirmed`: anything else that people decided. Empty for a rejection, and where nobody looked.
    """
    if not decisions or row.verdict == "reject":
        return []
    seen = _seen(decisions)
    # Few labels, many items: most pairs of short outputs come again and again.
    if len(row.output) + len(row.final_output) <= SHORT:
        return _parts_of_short(row.output, row.final_output, seen)
    return _parts_of(row.output, row.final_output, seen)


def _parts_of(output: str, final: str, seen: frozenset[str] | None) -> list[dict[str, Any]]:
    was = now = dict(leaves(exact(output)))
    if final != output:
        now = dict(leaves(exact(final)))
    return [
        *[_part(pointer, value, now.get(pointer, MISSING), seen) for pointer, value in was.items()],
        *[_part(pointer, MISSING, value, seen) for pointer, value in now.items() if pointer not in was],
    ]


_parts_of_short = lru_cache(maxsize=4096)(_parts_of)


def _part(pointer: str, was: Any, now: Any, seen: frozenset[str] | None) -> dict[str, Any]:
    part: dict[str, Any] = {"pointer": pointer}
    if was is not MISSING:
        part["was"] = as_written(was)
    if now is not MISSING:
        part["now"] = as_written(now)
    part["state"] = "changed" if was is MISSING or now is MISSING or not same(was, now) else _looked_at(pointer, seen)
    return part


def _looked_at(pointer: str, seen: frozenset[str] | None) -> str:
    if seen is None or pointer in seen or any(pointer.startswith(f"{parent}/") for parent in seen):
        return "confirmed"
    return "unseen"


def _seen(decisions: Sequence[Any]) -> frozenset[str] | None:
    """What the desk said was looked at, over all decisions; None where none of them tells."""
    told = [json.loads(decision.seen) for decision in decisions if decision.seen is not None]
    return frozenset().union(*told) if told else None
