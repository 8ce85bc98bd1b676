"""RQ entry points of exports. Each may run twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from reviewqueue.core.background import LeaseGone
from reviewqueue.core.db import write_session
from reviewqueue.errors import Unavailable
from reviewqueue.feedback import building
from reviewqueue.models import DatasetShard


def plan(*, ref: str, renew: Callable[[], Any]) -> None:
    """Cut an export into shards; what cannot be mended by trying again fails it, with its reason."""
    try:
        building.plan(ref, renew=renew)
    except (LeaseGone, OperationalError, Unavailable):
        raise
    except Exception as error:
        with write_session() as session:
            building.fail(session, ref, f"{type(error).__name__}: {error}")
        raise


def write_shard(*, ref: str, renew: Callable[[], Any]) -> None:
    """Write a shard; what cannot be mended by trying again fails the export, with its reason."""
    try:
        building.write_shard(ref, renew=renew)
    except building.Cancelled:
        return
    except (LeaseGone, OperationalError):
        raise
    except Exception as error:
        with write_session() as session:
            export_id = session.scalars(select(DatasetShard.export_id).where(DatasetShard.id == ref)).one_or_none()
            if export_id is not None:
                building.fail(session, export_id, f"{type(error).__name__}: {error}")
        raise
