"""The feedback record, version 1: one line an item, with what the AI said, what people decided, and how it was sampled.
Pure. Content is spliced in as the text it was stored as, so that keys keep their order and numbers their digits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, dumps, spliced
from reviewqueue.review.verdicts import MISSING, leaves, same

VERSION = "reviewqueue.feedback/1"


def record(row: Any, decisions: Sequence[Any]) -> Raw:
    """The record of an item; `row` has the columns of item and resolution, `decisions` are in order of time."""
    return spliced({
        "record": VERSION, "item_id": row.id, "external_id": row.external_id, "queue": row.slug,
        "config_version": row.config_version, "model": row.model, "model_version": row.model_version,
        "input": Raw(row.input), "output": Raw(row.output), "confidence": row.confidence, "risk": row.risk,
        "resolution": spliced({
            "verdict": row.verdict, "output": Raw(row.final_output), "by": row.by, "revision": row.revision,
            "resolved_at": iso(row.resolved_at),
        }),
        "parts": Raw(parts_text(row, decisions)),
        "decisions": Raw("[" + ",".join(_decision(decision) for decision in decisions) + "]"),
        "sampling": {"rule": row.rule, "audit_sample": row.audit_sample, "probability": row.probability},
        "metadata": Raw(row.metadata_json), "submitted_at": iso(row.created_at),
    })  # fmt: skip


def _decision(row: Any) -> Raw:
    members = {
        "reviewer": row.pseudonym, "verdict": row.verdict, "output": Raw(row.output), "reason": row.reason,
        "suggested_label": row.suggested_label, "comment": row.comment, "message": row.message,
        "spent_seconds": row.spent_seconds, "decided_at": iso(row.decided_at), "config_version": row.config_version,
        "via": row.via,
    }  # fmt: skip
    if row.late:
        members["late"] = True
    return spliced(members)


def parts_text(row: Any, decisions: Sequence[Any]) -> str:
    """`[{pointer, was, now, state}]` as JSON text: every leaf of either output, and what became of it.

    `changed`: the leaf differs, came or went. `unseen`: the reviewer's desk said what was looked at, and this was not.
    `confirmed`: anything else that people decided. Empty for a rejection, and where nobody looked.
    """
    if not decisions or row.verdict == "reject":
        return "[]"
    was, now = dict(leaves(json.loads(row.output))), dict(leaves(json.loads(row.final_output)))
    seen = _seen(decisions)
    return dumps([
        part
        for pointer in [*was, *(pointer for pointer in now if pointer not in was)]
        for part in [_part(pointer, was.get(pointer, MISSING), now.get(pointer, MISSING), seen)]
    ])  # fmt: skip


def _part(pointer: str, was: Any, now: Any, seen: set[str] | None) -> dict[str, Any]:
    part: dict[str, Any] = {"pointer": pointer}
    if was is not MISSING:
        part["was"] = was
    if now is not MISSING:
        part["now"] = now
    part["state"] = "changed" if was is MISSING or now is MISSING or not same(was, now) else _looked_at(pointer, seen)
    return part


def _looked_at(pointer: str, seen: set[str] | None) -> str:
    if seen is None or pointer in seen or any(pointer.startswith(f"{parent}/") for parent in seen):
        return "confirmed"
    return "unseen"


def _seen(decisions: Sequence[Any]) -> set[str] | None:
    """What the desk said was looked at, over all decisions; None where none of them tells."""
    told = [set(json.loads(decision.seen)) for decision in decisions if decision.seen is not None]
    return set().union(*told) if told else None
