"""Waiting for an item to end: one thread a process looks for all who wait, and wakes each."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from flask import Flask, current_app
from sqlalchemy import select

from reviewqueue.core.db import read_session
from reviewqueue.models import Item
from reviewqueue.models.base import table
from reviewqueue.resolution import reading

LOOK_EVERY_SECONDS = 0.2
LONGEST_SECONDS = 60


class Waiters:
    """Those who wait in this process: at most a quarter of its threads, so that waiting never stops the rest."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: dict[str, list[threading.Event]] = defaultdict(list)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wait(self, app: Flask, item_id: str, seconds: float) -> bool:
        """Until the item has ended, or `seconds`. False at once when all places are taken."""
        woken = threading.Event()
        with self._lock:
            if sum(len(events) for events in self._waiting.values()) >= self._places:
                return False
            self._waiting[item_id].append(woken)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, args=(app,), name="waiters", daemon=True)
                self._thread.start()
        try:
            woken.wait(seconds)
        finally:
            with self._lock:
                self._waiting[item_id].remove(woken)
                if not self._waiting[item_id]:
                    del self._waiting[item_id]
        return True

    def _look(self, app: Flask) -> None:
        while True:
            with self._lock:
                ids = list(self._waiting)
                if not ids:
                    self._thread = None
                    return
            try:
                ended = self._ended(app, ids)
            except Exception:
                # Whoever waits gets the item's present state at the end of their time; the next look may succeed.
                app.logger.exception("could not look for ended items")
                ended = []
            with self._lock:
                for item_id in ended:
                    for woken in self._waiting.get(item_id, []):
                        woken.set()
            time.sleep(LOOK_EVERY_SECONDS)

    @staticmethod
    def _ended(app: Flask, ids: list[str]) -> list[str]:
        with app.app_context(), read_session() as session:
            item = table(Item).c
            return list(session.scalars(select(item.id).where(item.id.in_(ids), reading.answered())))


def init_app(app: Flask) -> None:
    """Give the process its places."""
    app.extensions["reviewqueue_waiters"] = Waiters(app.config["SETTINGS"].held_threads)


def wait_for(item_id: str, seconds: float) -> bool:
    """See `Waiters.wait`."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    waiters: Waiters = app.extensions["reviewqueue_waiters"]
    return waiters.wait(app, item_id, seconds)
