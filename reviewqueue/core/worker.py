"""The RQ worker: listens on every review queue, also on those created after it started."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from redis import Redis
from rq import Worker, worker_registration
from rq.exceptions import StopRequested
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from reviewqueue.config import Settings
from reviewqueue.core import outbox
from reviewqueue.core.background import rq_queue
from reviewqueue.core.processes import die_with_parent, settle
from reviewqueue.models import Queue as ReviewQueue

LOOK_EVERY_SECONDS = 2
log = logging.getLogger(__name__)


class ReviewWorker(Worker):
    """RQ's forking worker, whose list of queues is looked up again between jobs."""

    max_connection_wait_time = 2

    def __init__(self, names: Callable[[], list[str]], connection: Redis) -> None:
        self._names = names
        self._looked_at = time.monotonic()
        super().__init__(
            [rq_queue(name, connection) for name in names()],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=17,  # waits two seconds for a job, so that a new queue is heard within four
            maintenance_interval=15,
            job_monitoring_interval=5,
            default_result_ttl=0,
            log_job_description=False,
        )

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Also the moment to look for new queues: RQ calls it before each wait for a job."""
        super().heartbeat(timeout, pipeline=pipeline)
        if pipeline is None and time.monotonic() - self._looked_at > LOOK_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            self._look_again()

    def _look_again(self) -> None:
        """Listen to the queues there are now; while the database cannot tell, to those known."""
        try:
            names = self._names()
        except SQLAlchemyError as error:
            # A signal to stop that comes amid the question breaks the connection off, and is hidden by that error.
            if self._shutdown_requested_date:
                raise StopRequested from None
            log.warning("The review queues cannot be looked up: %s", str(error).splitlines()[0])
            return
        self._listen_on(names)

    def _listen_on(self, names: list[str]) -> None:
        if names == self.queue_names():
            return
        self.queues = [rq_queue(name, self.connection) for name in names]
        self._ordered_queues = self.queues[:]
        with self.connection.pipeline() as pipeline:
            worker_registration.register(self, pipeline)
            self.connection.hset(self.key, "queues", ",".join(names))
            pipeline.execute()

    def work(self, *args: Any, **options: Any) -> bool:
        settle()
        return bool(super().work(*args, **options))

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        die_with_parent()
        super().main_work_horse(job, queue)


def all_names(settings: Settings) -> list[str]:
    """The RQ queues of this installation. Connects for this one question: a connection must not cross the fork."""
    engine = create_engine(settings.database_url, poolclass=NullPool)
    with engine.connect() as connection:
        slugs = connection.scalars(
            select(ReviewQueue.slug).where(ReviewQueue.archived_at.is_(None)).order_by(ReviewQueue.slug)
        ).all()
    return [*(outbox.review_queue(slug) for slug in slugs), *outbox.SITE]
