"""What Amazon A2I writes when a human loop ends, a line an item. Pure.

{flowDefinitionArn, humanLoopName, humanAnswers: [{answerContent, submissionTime, workerId, workerMetadata}],
 inputContent: {taskObject, initialValue}}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import exact
from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.formats.lines import Examples


def writer(frame: Frame) -> Examples:
    return Examples(frame, loops)


def loops(_: Frame, row: Any, decisions: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """One of an item that came by another door is named after its queue."""
    kept = exact(row.metadata_json).get("a2i")
    arn = kept.get("flow_definition_arn") if isinstance(kept, dict) else None
    yield {
        "flowDefinitionArn": arn or f"arn:aws:sagemaker:local:000000000000:flow-definition/{row.slug}",
        "humanLoopName": row.external_id or row.id,
        "humanAnswers": [
            {
                "answerContent": exact(one.output), "submissionTime": iso(one.decided_at), "workerId": one.pseudonym,
                "workerMetadata": {"verdict": one.verdict, "reason": one.reason},
            }
            for one in decisions if not one.late
        ],
        "inputContent": {"taskObject": exact(row.input), "initialValue": exact(row.output)},
    }  # fmt: skip
