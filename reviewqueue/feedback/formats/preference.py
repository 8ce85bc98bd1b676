"""Preference pairs: what stands before what the AI had said, or the better candidate before the worse. Pure.

    OpenAI  {input: {messages, tools, parallel_tool_calls}, preferred_output: [message],
             non_preferred_output: [message]}
    TRL     {prompt: [message], chosen: [message], rejected: [message]}
    TRL     {prompt: [message], completion: [message], label}   unpaired, for KTO

An approval makes no pair, and neither does a rejection: nothing stands in its place. Unpaired, an approval is an answer
that is liked, a rejection one that is not, and a correction both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reviewqueue.feedback.formats.frame import Frame
from reviewqueue.feedback.formats.lines import Examples
from reviewqueue.feedback.formats.messages import answers_of, pairs


def openai(frame: Frame) -> Examples:
    return Examples(frame, openai_pairs)


def trl(frame: Frame) -> Examples:
    return Examples(frame, trl_pairs)


def kto(frame: Frame) -> Examples:
    return Examples(frame, unpaired)


def openai_pairs(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for found, better, worse in pairs(frame, row):
        yield {
            "input": {"messages": found.prompt, "tools": found.tools, "parallel_tool_calls": True},
            "preferred_output": better, "non_preferred_output": worse,
        }  # fmt: skip


def trl_pairs(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for found, better, worse in pairs(frame, row):
        yield {"prompt": found.prompt, "chosen": better, "rejected": worse}


def unpaired(frame: Frame, row: Any, _: Sequence[Any]) -> Iterator[dict[str, Any]]:
    found = answers_of(frame, row)
    for liked, answers in ((True, found.good), (False, found.bad)):
        for answer in answers:
            yield {"prompt": found.prompt, "completion": answer, "label": liked}
