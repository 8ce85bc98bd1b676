"""The sender: many requests at once, a few an endpoint, so that a slow receiver delays nobody's but its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from reviewqueue.core.db import read_session, write_session
from reviewqueue.delivery.webhooks import deliveries, endpoints, sending, signing
from reviewqueue.delivery.webhooks.addresses import Allowed, target_of
from reviewqueue.delivery.webhooks.deliveries import Parcel
from reviewqueue.delivery.webhooks.sending import Outcome
from reviewqueue.errors import Invalid

AT_ONCE = 64
AN_ENDPOINT = 8
"""Requests to one receiver at once; one that fails gets fewer, down to one."""
RUNS_FOR = 45.0
IDLE_FOR = 1.5
"""Seconds without anything due after which the job ends; the relay calls the next."""
LOOK_EVERY = 0.1
RENEW_EVERY = 5.0


class Sender:
    """One run of the job."""

    def __init__(self, renew: Callable[[], Any]) -> None:
        self._renew = renew
        self._lets: Allowed = endpoints.lets()
        self._sent: dict[Future[Outcome], Parcel] = {}
        self._failures: Counter[str] = Counter()
        """In a row, by endpoint."""

    def run(self) -> None:
        ends = time.monotonic() + RUNS_FOR
        busy_at = renewed_at = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            while True:
                now = time.monotonic()
                if now - renewed_at > RENEW_EVERY:
                    self._renew()
                    renewed_at = now
                if now < ends and self._send_more(pool):
                    busy_at = now
                if self._sent:
                    busy_at = now
                    self._collect()
                elif now >= ends or now - busy_at > IDLE_FOR:
                    return
                else:
                    time.sleep(LOOK_EVERY)

    def _send_more(self, pool: ThreadPoolExecutor) -> int:
        free = AT_ONCE - len(self._sent)
        if free <= 0:
            return 0
        with read_session() as session:
            waiting = deliveries.endpoints_with_due(session)
        taken = 0
        for endpoint_id in waiting:
            most = min(free - taken, self._room(endpoint_id))
            if most <= 0:
                continue
            with write_session() as session:
                parcels = deliveries.lease(session, endpoint_id, most)
            for parcel in parcels:
                self._sent[pool.submit(send, parcel, self._lets)] = parcel
            taken += len(parcels)
        return taken

    def _room(self, endpoint_id: str) -> int:
        under_way = sum(1 for parcel in self._sent.values() if parcel.endpoint_id == endpoint_id)
        return max(1, AN_ENDPOINT >> self._failures[endpoint_id]) - under_way

    def _collect(self) -> None:
        done, _ = wait(self._sent, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
        if not done:
            return
        with write_session() as session:
            for future in done:
                deliveries.record(session, self._sent[future], future.result())
        for future in done:
            parcel = self._sent.pop(future)
            delivered = future.result().delivered
            self._failures[parcel.endpoint_id] = 0 if delivered else self._failures[parcel.endpoint_id] + 1


def send(parcel: Parcel, lets: Allowed) -> Outcome:
    """Sign it for this moment, and send it."""
    headers = {
        "Content-Type": "application/json", "User-Agent": "reviewqueue-webhooks/1",
        **signing.headers(parcel.event_id, _unix_seconds(), parcel.body, parcel.secrets),
    }  # fmt: skip
    try:
        target = target_of(parcel.url, lets)
    except Invalid as error:
        # It was in order when the endpoint was made: the operator lets fewer through since.
        return Outcome(None, "; ".join(fault.detail for fault in error.faults), 0.0)
    return sending.post(target, parcel.body, headers, lets)


def _unix_seconds() -> int:
    # The receiver compares it with its own clock, so it is this machine's that counts, not the database's.
    return time.time_ns() // 1_000_000_000
