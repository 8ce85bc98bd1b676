"""RQ entry points of review. Each may run twice."""

from __future__ import annotations

from sqlalchemy.orm import Session

from reviewqueue.review.handing import remind_of


def remind(*, session: Session, refs: list[str]) -> None:
    """Tell people of what they had put off until now."""
    for ref in refs:
        remind_of(session=session, task_id=ref)
