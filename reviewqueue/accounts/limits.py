"""How many requests a token may make: a bucket a token, in this process. Nothing is asked on the way of an answer."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from threading import Lock

from reviewqueue.errors import TooMany


@dataclass
class _Bucket:
    left: float
    at: float
    """Monotonic seconds at which `left` was so."""


now = time.monotonic
_buckets: dict[str, _Bucket] = {}
_lock = Lock()


def take(token_id: str, requests_per_second: int) -> None:
    """Count a request of the token; a second's worth may come at once. Raises `TooMany`; then nothing counts."""
    with _lock:
        at = now()
        bucket = _buckets.setdefault(token_id, _Bucket(float(requests_per_second), at))
        bucket.left = min(float(requests_per_second), bucket.left + (at - bucket.at) * requests_per_second)
        bucket.at = at
        if bucket.left >= 1:
            bucket.left -= 1
            return
        wait = (1 - bucket.left) / requests_per_second
    raise TooMany(
        f"This token makes more than {requests_per_second:,} requests a second. Send several items at once, "
        "or ask for a higher limit.",
        retry_after=math.ceil(wait),
    )
