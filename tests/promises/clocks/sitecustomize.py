"""Runs when a Python process starts that has this folder on its path: its clock is off by what a file says.

The file holds one number of seconds. Of three processes one is ahead by that, one behind, one right; a change of the
file is felt at once.
"""

from __future__ import annotations

import mmap
import os
import struct
import time

_path = os.environ.get("REVIEWQUEUE_TEST_CLOCK")

if _path:
    with open(_path, "rb") as _file:
        _shared = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)
    _time, _time_ns = time.time, time.time_ns

    def _off() -> float:
        return float(struct.unpack("d", _shared[:8])[0]) * (os.getpid() % 3 - 1)

    time.time = lambda: _time() + _off()
    time.time_ns = lambda: _time_ns() + int(_off() * 1e9)
