"""Supervised fine-tuning: `{messages, tools?}`, as OpenAI and TRL take it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.formats.lines import Examples
from reviewqueue.feedback.formats.messages import answers_of


def writer(frame: Frame) -> Examples:
    return Examples(frame, examples)


def examples(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """What stands, as the answer; a rejected item makes none."""
    found = answers_of(frame, row)
    if found.good:
        tools = {"tools": found.tools} if found.tools else {}
        yield {"messages": [*found.prompt, *found.good[0]], **tools}
