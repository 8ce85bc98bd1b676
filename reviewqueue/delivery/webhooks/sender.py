"""The sender: many requests at once, a few an endpoint, so that a slow receiver delays no events but its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from reviewqueue.core import traces
from reviewqueue.core.addresses import Allowed, target_of
from reviewqueue.core.db import read_session, write_session
from reviewqueue.delivery.webhooks import deliveries, endpoints, sending, signing
from reviewqueue.delivery.webhooks.deliveries import Parcel
from reviewqueue.delivery.webhooks.sending import Outcome
from reviewqueue.errors import Invalid

AT_ONCE = 96
KEPT = 32
"""Of these, for endpoints that have nothing under way and answered quickly the last time, if they were asked."""
AN_ENDPOINT = 8
"""Requests to one receiver at once; one that fails gets fewer, down to one."""
QUICKLY = 1.0
RUNS_FOR = 45.0
LEFT_AFTER = 40.0
"""Seconds after which a request is waited for no more: it has failed. An attempt has 15, but a name may take longer to
resolve. Less than the lease of a delivery, so that nobody takes it before that is on record."""
IDLE_FOR = 1.5
"""Seconds without anything due after which the job ends; the relay calls the next."""
LOOK_EVERY = 0.1


@dataclass(frozen=True)
class _Sent:
    parcel: Parcel
    at: float
    """When, by the monotonic clock."""


class Sender:
    """One run of the job."""

    def __init__(self, renew: Callable[..., Any]) -> None:
        self._renew = renew
        self._lets: Allowed = endpoints.lets()
        self._sent: dict[Future[Outcome], _Sent] = {}
        self._left: set[Future[Outcome]] = set()
        """Waited for no more, but still in a thread."""
        self._failures: Counter[str] = Counter()
        """In a row, by endpoint."""
        self._took: dict[str, float] = {}
        """Seconds of the last attempt, by endpoint."""

    def run(self) -> None:
        """Until nothing is due for a moment, or its time is over. It ends whatever a receiver does."""
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")
        try:
            self._run(pool)
        finally:
            # Not to be waited for: it ends with the process, and a worker runs each job in one of its own.
            pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, pool: ThreadPoolExecutor) -> None:
        busy_at = time.monotonic()
        ends = busy_at + RUNS_FOR
        while True:
            now = time.monotonic()
            self._renew()
            if now < ends and self._send_more(pool, ends - now):
                busy_at = now
            if self._sent:
                busy_at = now
                self._collect()
            elif now >= ends or now - busy_at > IDLE_FOR:
                return
            else:
                time.sleep(LOOK_EVERY)

    def _send_more(self, pool: ThreadPoolExecutor, seconds_left: float) -> int:
        self._left = {future for future in self._left if not future.done()}
        free = AT_ONCE - len(self._sent) - len(self._left)
        if free <= 0:
            return 0
        with read_session() as session:
            due = deliveries.endpoints_with_due(session)
        # What would outlast this run is left to the next: until it had ended, nothing could be sent to the others.
        waiting = [endpoint_id for endpoint_id in due if self._took.get(endpoint_id, 0.0) < seconds_left]
        doubted = {endpoint_id for endpoint_id in waiting if self._is_doubted(endpoint_id)}
        under_way = Counter(sent.parcel.endpoint_id for sent in self._sent.values())
        taken = 0
        for endpoint_id, most in shares(waiting, under_way, self._most, doubted, free).items():
            with write_session() as session:
                parcels = deliveries.lease(session, endpoint_id, most)
            for parcel in parcels:
                self._sent[pool.submit(send, parcel, self._lets)] = _Sent(parcel, time.monotonic())
            taken += len(parcels)
        return taken

    def _is_doubted(self, endpoint_id: str) -> bool:
        return self._failures[endpoint_id] > 0 or self._took.get(endpoint_id, 0.0) > QUICKLY

    def _most(self, endpoint_id: str) -> int:
        return max(1, AN_ENDPOINT >> self._failures[endpoint_id])

    def _collect(self) -> None:
        done, _ = wait(self._sent, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
        late = time.monotonic() - LEFT_AFTER
        left = {future for future, sent in self._sent.items() if sent.at < late} - done
        self._left |= left
        ended = [(self._sent[future].parcel, _outcome(future)) for future in done | left]
        # In one order, so that two senders never wait for each other's rows.
        ended.sort(key=lambda pair: (pair[0].endpoint_id, pair[0].delivery_id))
        if ended:
            with write_session() as session:
                for parcel, outcome in ended:
                    deliveries.record(session, parcel, outcome)
            self._renew(progress=True)
        for future in done | left:
            del self._sent[future]
        for parcel, outcome in ended:
            self._took[parcel.endpoint_id] = outcome.seconds
            self._failures[parcel.endpoint_id] = 0 if outcome.delivered else self._failures[parcel.endpoint_id] + 1


def shares(
    waiting: Iterable[str], under_way: Mapping[str, int], most: Callable[[str], int], doubted: Container[str], free: int
) -> dict[str, int]:
    """How many more requests each endpoint gets of the free places: everybody one before anybody a second.

    Of the last `KEPT` places an endpoint gets one, if it has nothing under way and is not `doubted`.
    """
    given: Counter[str] = Counter()
    waiting = sorted(waiting, key=lambda endpoint_id: endpoint_id in doubted)
    for turn in range(AN_ENDPOINT):
        for endpoint_id in waiting:
            kept = KEPT if turn or endpoint_id in doubted else 0
            has = under_way.get(endpoint_id, 0) + given[endpoint_id]
            if has == turn and has < most(endpoint_id) and free > kept:
                given[endpoint_id] += 1
                free -= 1
    return dict(+given)


def _outcome(future: Future[Outcome]) -> Outcome:
    """What came of it: also where it has not ended, or went wrong in a way of its own that is to stop no other."""
    if not future.done():
        return Outcome(None, f"No end after {LEFT_AFTER:.0f} s.", LEFT_AFTER)
    error = future.exception()
    return Outcome(None, f"{type(error).__name__}: {error}", 0.0) if error is not None else future.result()


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
    facts = {"event": parcel.event, "attempt": parcel.number}
    with traces.span(f"webhook {parcel.event}", [parcel.trace], kind="CLIENT", **facts) as span:
        here = traces.carried()
        outcome = sending.post(target, parcel.body, {**headers, **({traces.HEADER: here} if here else {})}, lets)
        if span is not None and outcome.status is not None:
            span.set_attribute("http.response.status_code", outcome.status)
    return outcome


def _unix_seconds() -> int:
    # The receiver compares it with its own clock, so it is this machine's that counts, not the database's.
    return time.time_ns() // 1_000_000_000
