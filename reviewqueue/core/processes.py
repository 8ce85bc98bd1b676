"""Processes: a child that dies with its parent, and one that has started and now serves."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent is gone, however it went. Linux; elsewhere nothing happens."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 and os.environ.get("REVIEWQUEUE_PARENT") not in {None, "1"}:
        # The parent was gone before the call above could take effect.
        os._exit(1)


NEW_OBJECTS = 20_000
"""After which the collector looks for cycles; a request makes more than Python's own 700."""


def settle() -> None:
    """Once all is loaded: what there is now stays, so the collector need never look at it again, and it looks seldom.

    A batch of 1,000 items spent a third of its time on collections that found nothing. What a fork shares with its
    parent stays shared, too.
    """
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 10, 10)
