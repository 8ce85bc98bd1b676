"""How many streams a web process receives at once: each holds a thread for as long as it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from flask import Flask, current_app

from reviewqueue.errors import TooMany

RETRY_AFTER = 5


def init_app(app: Flask) -> None:
    """Give the process its places, so that streams never stop the rest."""
    app.extensions["reviewqueue_streams"] = BoundedSemaphore(app.config["SETTINGS"].held_threads)


@contextmanager
def a_place() -> Iterator[None]:
    """Hold one of the places. Raises `TooMany` when all are taken."""
    places: BoundedSemaphore = current_app.extensions["reviewqueue_streams"]
    if not places.acquire(blocking=False):
        raise TooMany("Other streams are being received. Send it again in a few seconds.", retry_after=RETRY_AFTER)
    try:
        yield
    finally:
        places.release()
