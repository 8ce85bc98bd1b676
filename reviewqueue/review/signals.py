"""Signs that somebody decides without looking: where a lead may look, not what is the case. Pure.

Each is shown with what it rests on. Nothing is marked as worth a look before `quality.ENOUGH` checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reviewqueue.core.vocabulary import word
from reviewqueue.review.agreement import Share, share

CHARACTERS_A_SECOND = 60.0
"""Nobody reads faster: twice the 300 words of 6 characters a minute at which fast readers read texts like these
(Brysbaert 2019, "How many words do we read per minute?", Journal of Memory and Language 109)."""
RARE = 0.01
"""A run of approvals that long would come about by chance so often."""
MANY = 0.2
"""A share that is certainly above this is worth a look."""


@dataclass(frozen=True)
class Made:
    """One decision, as far as it tells."""

    approves: bool
    spent_seconds: float | None
    characters: int
    """Of what there was to read."""


@dataclass(frozen=True)
class Signals:
    approved: Share
    streak: int
    """The longest run of approvals."""
    streak_chance: float
    """How often a run as long comes about among as many decisions, at the others' share of approvals."""
    hasty: Share
    """Of the decisions whose time is known: those that took less than reading does."""
    passed: Share
    """Of the checks whose output was wrong: those that were approved all the same."""

    @property
    def worth_a_look(self) -> list[str]:
        """What a lead may look at, in words."""
        found = []
        if self.hasty.low > MANY:
            found.append(word("many decisions in less time than reading takes"))
        if self.streak_chance < RARE:
            found.append(word("a run of approvals that chance does not explain"))
        if self.passed.low > MANY:
            found.append(word("wrong outputs approved"))
        return found


def signals(made: Sequence[Made], *, others: Share, passed: Share) -> Signals:
    """Of somebody's decisions in order of time; `others` is the share of approvals among everybody else's."""
    timed = [one for one in made if one.spent_seconds is not None]
    hasty = sum(1 for one in timed if (one.spent_seconds or 0.0) < one.characters / CHARACTERS_A_SECOND)
    streak = longest_run([one.approves for one in made])
    return Signals(
        approved=share(sum(1 for one in made if one.approves), len(made)), streak=streak,
        streak_chance=chance_of_run(streak, len(made), others.high), hasty=share(hasty, len(timed)), passed=passed,
    )  # fmt: skip


def longest_run(approvals: Sequence[bool]) -> int:
    longest = run = 0
    for approves in approvals:
        run = run + 1 if approves else 0
        longest = max(longest, run)
    return longest


def chance_of_run(length: int, among: int, share: float) -> float:
    """At most how probable a run of `length` approvals or longer is among so many decisions, each of them one with the
    probability `share`: the expected number of places where one begins (Schilling 1990, "The longest run of heads",
    College Mathematics Journal 21). 1 where nothing follows from it."""
    if length == 0 or among == 0:
        return 1.0
    begins = 1 + max(0, among - length) * (1 - share)
    return float(min(1.0, begins * share**length))
