"""What an item and a decision say, in a line: for lists, messages and notices. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue.core.language import gettext, ngettext, spoken
from reviewqueue.core.vocabulary import word
from reviewqueue.models.states import Verdict
from reviewqueue.queues.configuration import QueueConfig, offered_reasons
from reviewqueue.queues.references import without
from reviewqueue.queues.sensitive import covered
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review.chat import chat_of
from reviewqueue.review.comparing import Row, side_by_side
from reviewqueue.review.shown import Change, diff, input_shown, words

MOST_READ = 100_000
"""Characters of an input or output; of what is longer a list has no line."""
MOST_SHOWN = 3
"""Differences, or members of an answer, that a line has room for."""
LINE = 160
"""Characters of it."""
AROUND = 24
"""Characters of what stays, shown beside a change within a text."""

VERDICTS = {
    Verdict.APPROVE: word("Approved"),
    Verdict.EDIT: word("Corrected"),
    Verdict.OVERRIDE: word("Corrected"),
    Verdict.REJECT: word("Rejected"),
}
"""As the buttons of the desk call them: whether a correction is an edit or an override follows from the change."""


@dataclass(frozen=True)
class Changed:
    """One leaf that is not as the model gave it."""

    name: str
    """Empty where there is but one."""
    changes: list[Change]


@dataclass(frozen=True)
class Told:
    """A decision in words."""

    kind: Verdict
    verdict: str
    """In the words of the desk."""
    answer: str
    """What it says; empty for a rejection."""
    changed: list[Changed]
    """Of a correction: the first differences."""
    more: int
    """Differences that are not among them."""
    reason: str
    """The title of its reason, and the label that is missing."""

    @property
    def in_words(self) -> str:
        """In one line without marks: `Corrected: Card arrival → Lost card`."""
        if not self.changed:
            said = self.reason or self.answer
        else:
            said = "; ".join(_in_words(each) for each in self.changed)
            if self.more:
                said += " " + ngettext("and %(num)s change more", "and %(num)s changes more", self.more)
        return f"{self.verdict}: {_line(said)}" if said else self.verdict


def _in_words(each: Changed) -> str:
    gone = "".join(change.text for change in each.changes if change.kind != "new").strip()
    new = "".join(change.text for change in each.changes if change.kind != "gone").strip()
    arrow = f"{_cut(gone, 60)} → {_cut(new, 60)}" if gone else _cut(new, 60)
    return f"{each.name} {arrow}".strip()


def told(config: QueueConfig, decision: Any, before: str | None) -> Told:
    """`decision` has verdict, output, reason and suggested_label; `before` is the model's output. Both are JSON text,
    None for what is too long to be read here."""
    verdict = spoken(VERDICTS[decision.verdict])
    answer, changed = "", []
    # Which model a candidate is from is nobody's to know who compares them.
    if decision.verdict is not Verdict.REJECT and decision.output is not None and config.view.type != "compare":
        output = json.loads(decision.output)
        rows = side_by_side([output])
        answer = _line(", ".join(_named(row, len(rows)) for row in rows[:MOST_SHOWN]))
        if decision.verdict is not Verdict.APPROVE and before is not None:
            given = json.loads(before)
            both = side_by_side([MISSING if given is None else given, output])
            changed = [_changed(row, len(both)) for row in both if row.cells[0].group != row.cells[1].group]
    more = max(0, len(changed) - MOST_SHOWN)
    return Told(decision.verdict, verdict, answer, changed[:MOST_SHOWN], more, _reason(config, decision))


def _reason(config: QueueConfig, decision: Any) -> str:
    if not decision.reason:
        return ""
    titles = {reason.code: reason.title for reason in offered_reasons(config)}
    title = spoken(titles.get(decision.reason, words(decision.reason)))
    return f"{title}: {decision.suggested_label}" if decision.suggested_label else title


def _named(row: Row, rows: int) -> str:
    text = row.cells[0].text or ""
    return text if rows == 1 else f"{row.name} {text}"


def _changed(row: Row, rows: int) -> Changed:
    was, now = (cell.text or "" for cell in row.cells)
    name = "" if rows == 1 else row.name
    if len(was) > 2 * AROUND or len(now) > 2 * AROUND:
        return Changed(name, [_near(change) for change in diff(was, now)])
    parts = [Change("gone", was) if was else None, Change("new", now) if now else None]
    return Changed(name, [part for part in parts if part])


def _near(change: Change) -> Change:
    if change.kind != "same" or len(change.text) <= 2 * AROUND + 3:
        return Change(change.kind, _cut(change.text, LINE))
    return Change("same", f"{change.text[:AROUND]} … {change.text[-AROUND:]}")


def line_of(config: QueueConfig, given: str | None, hidden: Sequence[str]) -> str:
    """What an item says, in a line; `given` is its input as JSON text, None for one that is too long to be read.
    `hidden`: the parts that are covered, for in a list nothing was asked for yet."""
    if given is None:
        return gettext("(a long input)")
    value = without(covered(json.loads(given), "input", hidden))
    if config.view.type == "chat":
        texts = [turn.text for turn in chat_of(value, config.view.input).turns if turn.text]
        if texts:
            return _line(texts[-1])
    shown = input_shown(value, config.view.input)
    if shown.main is not None:
        return _line(shown.main)
    return _line(" · ".join(f"{row.name} {row.text}".strip() for row in shown.rows[:6] if row.text))


def _line(text: str) -> str:
    return _cut(" ".join(text.split()), LINE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
