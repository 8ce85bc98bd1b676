"""The chain's rules, without a database: every kind of tampering is found, and no clean log is accused."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from reviewqueue.audit import chain

OURS, THEIRS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
OUR_KEY = frozenset({chain.public_hex(OURS)})
ACTIONS = ("task.claimed", "task.decided", "item.resolved", "person.created")


class Log:
    """A log as it lies on a disk, and the checkpoints outside it."""

    def __init__(self, draw: random.Random, length: int) -> None:
        self.draw = draw
        self.rows: list[dict[str, Any]] = []
        self.checkpoints: list[dict[str, Any]] = []
        for _ in range(length):
            self.rows.append({"event": self.event(), "content": None, "hash": ""})
            if draw.random() < 0.5:
                salt, payload = f"{draw.getrandbits(128):032x}", json.dumps({"comment": f"no {draw.random()} „ü“"})
                self.rows[-1]["content"] = {"salt": salt, "payload": payload}
                self.rows[-1]["event"]["content_sha256"] = chain.content_digest(salt, payload)
        self.rehash()
        self.number()
        for size in sorted({length, *draw.sample(range(1, length + 1), min(3, length))}):
            self.sign(size)

    def event(self) -> dict[str, Any]:
        draw = self.draw
        item = f"item-{draw.randrange(4)}" if draw.random() < 0.8 else None
        return {
            "id": f"{draw.getrandbits(128):032x}", "at": f"2026-11-20T10:00:00.{draw.randrange(10**6):06}+00:00",
            "action": draw.choice(ACTIONS), "actor_kind": "person", "actor": f"p{draw.randrange(3)}", "via": "web",
            "queue_id": None, "item_id": item, "subject": None, "facts": f'{{"n":{draw.randrange(9)}}}',
            "content_sha256": None,
        }  # fmt: skip

    def number(self) -> None:
        for place, row in enumerate(self.rows, 1):
            row["sequence"] = place

    def rehash(self, start: int = 0) -> None:
        before = self.rows[start - 1]["hash"] if start else chain.START
        for place, row in enumerate(self.rows[start:], start + 1):
            before = row["hash"] = chain.link(before, place, chain.digest(row["event"]))

    def sign(self, size: int, key: Ed25519PrivateKey = OURS) -> None:
        root = self.rows[size - 1]["hash"]
        self.checkpoints.append(chain.sign(key, size=size, root=root, at="2026-11-20T10:01:00.000000+00:00"))

    def erase(self) -> None:
        """What was said of one item, as the product does."""
        item = self.draw.choice(self.rows)["event"]["item_id"]
        if item is None:
            return
        for row in self.rows:
            row["content"] = None if row["event"]["item_id"] == item else row["content"]
        gone = {**self.event(), "action": chain.ITEM_ERASED, "item_id": item}
        self.rows.append({"event": gone, "content": None, "hash": ""})
        self.number()
        self.rehash(len(self.rows) - 1)

    def faults(self) -> set[str]:
        checker = chain.Checker(OUR_KEY, self.checkpoints)
        for row in self.rows:
            checker.add(row["sequence"], row["hash"], row["event"], row["content"])
        return {fault.kind for fault in checker.end()}

    def lines(self) -> list[str]:
        head = {"kind": "log", "format": chain.FORMAT, "keys": sorted(OUR_KEY), "size": len(self.rows)}
        found = [head, *({"kind": "checkpoint", "checkpoint": one} for one in self.checkpoints)]
        return [json.dumps(one) for one in (*found, *({"kind": "event", **row} for row in self.rows))]


def changed_payload(log: Log) -> None:
    row = log.draw.choice(log.rows)
    if row["content"] and log.draw.random() < 0.5:
        row["content"]["payload"] = '{"comment":"yes"}'
    else:
        name = log.draw.choice(["action", "actor", "at", "facts", "item_id"])
        row["event"][name] = f"{row['event'][name]}x"


def changed_hash(log: Log) -> None:
    log.draw.choice(log.rows)["hash"] = f"{log.draw.getrandbits(256):064x}"


def removed_event(log: Log) -> None:
    del log.rows[log.draw.randrange(len(log.rows))]
    if log.draw.random() < 0.5:
        # A careful hand: all numbers and hashes as if it had never been.
        log.number()
        log.rehash()


def inserted_event(log: Log) -> None:
    log.rows.insert(log.draw.randrange(len(log.rows)), {"event": log.event(), "content": None, "hash": ""})
    log.number()
    log.rehash()


def swapped_order(log: Log) -> None:
    one = log.draw.randrange(len(log.rows) - 1)
    log.rows[one], log.rows[one + 1] = log.rows[one + 1], log.rows[one]
    if log.draw.random() < 0.5:
        log.number()
        log.rehash()


def forged_checkpoint(log: Log) -> None:
    forged = log.draw.choice(log.checkpoints)
    forged["root"] = f"{log.draw.getrandbits(256):064x}"


def truncated_tail(log: Log) -> None:
    del log.rows[log.draw.randrange(len(log.rows)) :]


def other_key(log: Log) -> None:
    changed_payload(log)
    log.rehash()
    sizes = [one["size"] for one in log.checkpoints]
    log.checkpoints.clear()
    for size in sizes:
        log.sign(size, THEIRS)


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (changed_payload, {"altered", "content"}),
        (changed_hash, {"altered"}),
        (removed_event, {"missing", "rewritten", "truncated"}),
        (inserted_event, {"rewritten"}),
        (swapped_order, {"missing", "rewritten"}),
        (forged_checkpoint, {"forged"}),
        (truncated_tail, {"truncated"}),
        (other_key, {"forged"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("count", [19, pytest.param(200, marks=pytest.mark.soak)])
def test_tampering_is_found_in_every_log(tamper: Callable[[Log], None], expected: set[str], count: int) -> None:
    """The short run has a log of each length."""
    for seed in range(count):
        log = Log(random.Random(f"{tamper.__name__} {seed}"), 2 + seed % 19)
        tamper(log)
        assert log.faults() & expected, f"seed {seed}"


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.soak)])
def test_no_clean_log_raises_an_alarm(count: int) -> None:
    for seed in range(count):
        log = Log(random.Random(seed), 1 + seed % 12)
        log.erase()
        assert log.faults() == set(), f"seed {seed}"


@given(fields=st.lists(st.one_of(st.none(), st.text(), st.integers()), min_size=11, max_size=11))
def test_an_event_is_hashed_by_its_canonical_json_whatever_its_fields_are(fields: list[Any]) -> None:
    event = dict(zip(chain.FIELDS, fields, strict=True))
    assert chain.digest({**event, "more": 1}) == hashlib.sha256(chain.canonical(event)).hexdigest()


def test_content_that_goes_without_a_word_is_a_fault() -> None:
    log = Log(random.Random(0), 20)
    next(row for row in log.rows if row["content"])["content"] = None
    assert log.faults() == {"content"}


def test_one_change_is_one_fault_and_says_where() -> None:
    log = Log(random.Random(7), 40)
    log.rows[16]["event"]["actor"] = "somebody else"
    checker = chain.Checker(OUR_KEY, log.checkpoints)
    for row in log.rows:
        checker.add(row["sequence"], row["hash"], row["event"], row["content"])
    assert [(fault.kind, fault.sequence) for fault in checker.end()] == [("altered", 17)]


def test_the_offline_verifier_reads_an_export_and_says_what_is_wrong(tmp_path: Path, capsys: Any) -> None:
    log = Log(random.Random(3), 12)
    file, kept = tmp_path / "audit.jsonl", tmp_path / "checkpoints.jsonl"
    file.write_text("\n".join(log.lines()) + "\n")
    key = chain.public_hex(OURS)
    assert chain.main([str(file), "--key", key]) == 0
    assert "As it was written: 12 events, up to event 12 signed" in capsys.readouterr().out
    assert chain.main([str(file)]) == 0
    assert "make sure that" in capsys.readouterr().out
    assert chain.main([str(file), "--key", chain.public_hex(THEIRS)]) == 1
    # Everything rewritten, with a key of their own: only a checkpoint kept elsewhere, or the key, tells.
    kept.write_text("\n".join(map(json.dumps, log.checkpoints)) + '\n{"cut o')
    forged = copy.deepcopy(log)
    del forged.rows[-2:]
    forged.checkpoints = [one for one in forged.checkpoints if one["size"] <= 10]
    file.write_text("\n".join(forged.lines()))
    assert chain.main([str(file), "--key", key]) == 0
    assert chain.main([str(file), "--key", key, "--checkpoints", str(kept)]) == 1
    assert "FAULT truncated: The log ends at event 10" in capsys.readouterr().out
    file.write_text("\n".join(log.lines()[:-3]) + '\n{"kind": "event", "sequ')
    assert chain.main([str(file), "--key", key]) == 1
    file.write_text("{}")
    assert chain.main([str(file)]) == 2
    assert chain.main([str(tmp_path / "nothing")]) == 2
