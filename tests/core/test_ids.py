"""Identifiers: valid UUIDv7, in the order in which they were made, never twice."""

from __future__ import annotations

import threading
import uuid

from reviewqueue.core.ids import new_id, new_ids


def test_ids_are_version_7_and_sort_in_the_order_in_which_they_were_made() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in made} == {(7, uuid.RFC_4122)}


def test_many_at_once_are_as_those_that_are_made_alone() -> None:
    made = [new_id(), *new_ids(5_000), new_id(), *new_ids(3)]
    assert made == sorted(made)
    assert len(set(made)) == 5_005
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in made} == {(7, uuid.RFC_4122)}
    assert {text[19] for text in made} == set("89ab")
    assert new_ids(0) == []


def test_threads_never_make_the_same_id() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(new_id() for _ in range(5_000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 20_000
