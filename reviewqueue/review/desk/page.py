"""What the desk shows for a claim. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from werkzeug.datastructures import MultiDict

from reviewqueue.core import strictjson
from reviewqueue.errors import Faults
from reviewqueue.models.states import Verdict
from reviewqueue.queues.configuration import Reason
from reviewqueue.resolution.verdicts import MISSING, same
from reviewqueue.review import fields, shown
from reviewqueue.review.boxing import Boxing
from reviewqueue.review.chat import Chat
from reviewqueue.review.comparing import Row, side_by_side
from reviewqueue.review.editors import Editor
from reviewqueue.review.fields import Part
from reviewqueue.review.forms import DecisionForm
from reviewqueue.review.marking import Marking
from reviewqueue.review.sheets import Sheets, sheets_of
from reviewqueue.review.workpiece import Workpiece

MOST_DIGITS = 9
SCRIPTS = {kind: f"desk/{kind}.js" for kind in ("multi_choice", "compare", "spans", "document", "image_boxes")}


@dataclass(frozen=True)
class Choice:
    """One label."""

    value: str
    """As JSON text: labels need not be text."""
    label: str
    confidence: float | None = None
    key: str = ""
    proposed: bool = False


@dataclass(frozen=True)
class Answer:
    """What somebody said, of those who disagree."""

    name: str
    verdict: Verdict
    output: Any
    """MISSING for a rejection."""
    reason: str | None
    comment: str | None


@dataclass
class Desk:
    """A claim, and the form as it stands."""

    work: Workpiece
    form: DecisionForm
    data: MultiDict[str, str] | None
    """What was typed or restored; None for an untouched form."""
    input: shown.Shown
    ai: Any
    """The AI's value of what is decided; MISSING where it gave none."""
    pointer: str
    reasons: tuple[Reason, ...]
    choices: list[Choice] = field(default_factory=list)
    others: list[Choice] = field(default_factory=list)
    chosen: str = ""
    text: str = ""
    rest: list[shown.Line] = field(default_factory=list)
    """Parts of the output that are not decided here."""
    part: Part | None = None
    chat: Chat | None = None
    marking: Marking | None = None
    boxing: Boxing | None = None
    editor: Editor | None = None
    """Of the types that have one of their own."""
    errors: list[str] = field(default_factory=list)
    output_errors: list[str] = field(default_factory=list)

    @property
    def view(self) -> str:
        return self.work.config.view.type

    @property
    def ai_text(self) -> str:
        """The AI's value as a form would hold it."""
        if self.ai is MISSING:
            return ""
        if self.view == "choice":
            return strictjson.dumps(self.ai)
        return self.ai if isinstance(self.ai, str) else ""

    @property
    def changes(self) -> list[shown.Change]:
        return shown.diff(lines_of(self.ai_text), lines_of(self.text))

    @property
    def changed(self) -> bool:
        """Whether the form differs from what the AI gave."""
        if self.editor is not None:
            return self.editor.changed
        if self.view == "choice":
            return self.chosen != self.ai_text
        if self.view == "text":
            return lines_of(self.text) != lines_of(self.ai_text)
        assert self.part is not None
        faults = Faults()
        value = fields.value_of(self.part, faults)
        return self.ai is MISSING or bool(faults.found) or not same(value, self.ai)

    @property
    def answers(self) -> list[Answer]:
        """Of an adjudication: what the reviews say."""
        return [
            Answer(
                f"Review {place}", row.verdict, MISSING if row.verdict is Verdict.REJECT else json.loads(row.output),
                row.reason, row.comment,
            )
            for place, row in enumerate(self.work.answers, 1)
        ]  # fmt: skip

    @property
    def compared(self) -> list[Row]:
        """The model's output and that of each review, side by side."""
        given = output_of(self.work)
        return side_by_side([MISSING if given is None else given, *(answer.output for answer in self.answers)])

    @property
    def first(self) -> Part | None:
        """The field to look at first."""
        return fields.most_doubtful(self.part) if self.part else None

    @property
    def said(self) -> Part | None:
        """The field with what a reply says; None where there is none."""
        texts = (part for part in self.part.everything() if part.kind == "string") if self.part else ()
        return next((part for part in texts if part.name == "f" or part.pointer.endswith("/content")), None)

    @property
    def script(self) -> str | None:
        """The static file that the browser needs for this type alone; none where it is edited as JSON text."""
        if self.view in {"spans", "image_boxes"} and self.part is not None and self.part.kind != "array":
            return None
        drawn = self.sheets.drawn or (self.view == "document" and self.sheets.has_pdf)
        if self.view in {"document", "image_boxes"} and not drawn:
            return None
        return SCRIPTS.get(self.view)

    @cached_property
    def sheets(self) -> Sheets:
        """The pictures of the input."""
        return sheets_of(self.work)

    @property
    def tells_seen(self) -> bool:
        """Whether there are parts, of which the browser says which were looked at."""
        return self.part is not None or self.view == "multi_choice"

    @property
    def first_row(self) -> Part | None:
        """The row of a list to look at first: of the lowest confidence; None where none has one."""
        rated = [row for row in self.part.children if row.confidence is not None] if self.part else []
        return min(rated, key=lambda row: row.confidence or 0.0) if rated else None

    @property
    def fixed_digits(self) -> bool:
        """Whether digits are the labels in schema order, not the model's alternatives."""
        return self.view == "choice" and len(self.work.config.labels) <= MOST_DIGITS


def output_of(work: Workpiece) -> Any:
    """The AI's output, numbers as they were written."""
    return strictjson.exact(work.item.output)


def lines_of(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
