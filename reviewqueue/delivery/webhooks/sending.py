"""One webhook request: to an address that was checked, within 15 seconds, whatever the receiver does."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass

from reviewqueue.core import guarded
from reviewqueue.core.addresses import Allowed, Refused, Target

SECONDS = 15.0
"""For the whole of it: resolving apart, from connecting to the last byte of the answer."""
MOST_READ = 65_536
KEPT_CHARACTERS = 2_000


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt."""

    status: int | None
    """None where no answer came."""
    answer: str
    """The answer's first characters, or why there was none."""
    seconds: float

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver says that it wants no more."""
        return self.status == 410


def post(target: Target, body: bytes, headers: Mapping[str, str], lets: Allowed) -> Outcome:
    """Send it. Redirects are not followed: they are failures."""
    started = time.monotonic()
    status: int | None
    try:
        reply = guarded.exchange("POST", target, lets, headers=headers, body=body, seconds=SECONDS, most=MOST_READ)
        status, answer = reply.status, reply.body.decode("utf-8", "replace")
    except Refused as error:
        status, answer = None, str(error)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = time.monotonic() - started >= SECONDS
        status, answer = None, f"No answer within {SECONDS:.0f} s." if late else f"{type(error).__name__}: {error}"
    # NUL is what no database column holds.
    return Outcome(status, answer.replace("\x00", "\ufffd")[:KEPT_CHARACTERS], time.monotonic() - started)
