"""Lanes: who may take a task, as one word that an index can hold. Pure.

A claim must not wade through tasks that its reviewer may not take: 100,000 second reviews of items that they have
decided would stand before the first one they may. Tasks with the same restrictions share a lane; the claim looks only
into the lanes that are open to it and takes the most urgent head. The usual lane, anybody's, is the empty word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from reviewqueue.models.states import Audience

ANYBODY = ""


def lane_of(*, audience: Audience, assignee: str | None, excluded: Iterable[str]) -> str:
    """`<audience>|<assignee>|<excluded people, sorted>`, or the empty word without restrictions."""
    people = ",".join(sorted(set(excluded)))
    if audience is Audience.REVIEWER and assignee is None and not people:
        return ANYBODY
    return f"{audience.value}|{assignee or ''}|{people}"


def restrictions(*, audience: Audience, assignee: str | None = None, excluded: Iterable[str]) -> dict[str, Any]:
    """The columns of a task that say who may take it, which are never written but together."""
    people = sorted(set(excluded))
    return {
        "audience": audience, "assignee": assignee, "excluded": json.dumps(people),
        "lane": lane_of(audience=audience, assignee=assignee, excluded=people),
    }  # fmt: skip


def may_take(lane: str, *, person_id: str, is_lead: bool) -> bool:
    """Whether that person may claim tasks of the lane."""
    if lane == ANYBODY:
        return True
    audience, assignee, people = lane.split("|")
    if audience == Audience.LEAD and not is_lead:
        return False
    if assignee and assignee != person_id:
        return False
    return person_id not in people.split(",")
