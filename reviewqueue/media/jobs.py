"""RQ entry points of media."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reviewqueue.media import fetching


def fetch(*, ref: str, renew: Callable[[], Any]) -> None:  # noqa: ARG001 - a request ends well before its lease
    """Fetch one. Safe to run twice, also at once."""
    fetching.fetch(ref)
