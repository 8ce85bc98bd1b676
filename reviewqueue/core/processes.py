"""Processes that belong together: a child that dies with its parent."""

from __future__ import annotations

import ctypes
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
