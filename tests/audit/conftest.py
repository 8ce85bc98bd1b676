"""A log in a real database, and what its keepers do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from reviewqueue.audit import chain, sealing, verifying
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import write_session


class Keeper:
    """Does the relay's duties, and looks."""

    def record(self, count: int = 1) -> list[str]:
        with write_session() as session:
            return [
                trail.record(session, SYSTEM, "test.happened", facts={"n": n}, content={"name": f"Zoë {n}"})
                for n in range(count)
            ]

    def seal(self) -> int:
        with write_session() as session:
            return sealing.seal(session=session)

    def sign(self) -> None:
        with write_session() as session:
            sealing.checkpoint(session=session)

    def checker(self) -> chain.Checker:
        return verifying.verify(actor=SYSTEM)[0]

    def faults(self) -> set[str]:
        return {fault.kind for fault in self.checker().faults}


@pytest.fixture
def keeper(app: Flask) -> Iterator[Any]:
    with app.app_context():
        yield Keeper()
