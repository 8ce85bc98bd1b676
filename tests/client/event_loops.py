"""Running what is asynchronous in a test, whatever else runs in its process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns, from an event loop and a thread of its own.

    A browser that an earlier test of this process opened keeps a loop running in the main thread, and there
    `asyncio.run` refuses.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
