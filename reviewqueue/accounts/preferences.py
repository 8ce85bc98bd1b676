"""Operations on what people set for themselves: how they are shown images, when to rest, how dates are written."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from reviewqueue.core.access import Actor
from reviewqueue.core.db import upsert
from reviewqueue.core.writing import STYLES, zones
from reviewqueue.errors import Faults, Forbidden
from reviewqueue.models import Preference
from reviewqueue.models.states import ActorKind, Images

BREAKS = (15, 25, 50, 90)
"""Minutes after which a break may be proposed."""


@dataclass(frozen=True)
class Preferences:
    """What one person has set; the columns of `preference`."""

    images: Images = Images.SHOWN
    covers_warned: bool = False
    break_minutes: int | None = None
    time_zone: str | None = None
    style: str | None = None


def save(*, session: Session, actor: Actor, wanted: Preferences) -> None:
    """Keep what `actor` wants for themselves. In no history: it is nobody else's. Raises `Invalid`, `Forbidden`."""
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden("Only people set how they read.")
    faults = Faults()
    if wanted.break_minutes not in (None, *BREAKS):
        faults.add("/break_minutes", f"must be one of {', '.join(map(str, BREAKS))}")
    if wanted.time_zone is not None and wanted.time_zone not in zones():
        faults.add("/time_zone", "is no time zone that is known here; write it as Europe/Berlin")
    if wanted.style is not None and wanted.style not in STYLES:
        faults.add("/style", f"must be one of {', '.join(STYLES)}")
    faults.raise_if_any("This cannot be set so.")
    session.execute(
        upsert(session, Preference)
        .values(person_id=actor.id, **asdict(wanted))
        .on_conflict_do_update(index_elements=["person_id"], set_=asdict(wanted))
    )
