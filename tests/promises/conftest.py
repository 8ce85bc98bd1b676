"""The product as one command runs it, with the cast in its database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reviewqueue.config import Settings
from tests.fixtures.people import Cast
from tests.promises.product import Product


@pytest.fixture
def product(settings: Settings, cast: Cast) -> Iterator[Product]:
    """`reviewqueue up`, running, with the cast. Its directory is short: a socket's path must be."""
    directory = Path(tempfile.mkdtemp(prefix="rq-up-"))
    running = Product(settings, directory)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)
