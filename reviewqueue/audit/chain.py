"""The rules of the audit log's chain, and their offline verifier. Pure: the standard library and `cryptography` alone.

This file runs by itself, anywhere: `python verify_audit_log.py EXPORT.jsonl [--key HEX] [--checkpoints FILE]`. It says
what is wrong and where, and exits with 1 if anything is, with 2 for a file that it cannot read.

Each event is hashed with the hash before it. A checkpoint is a signed statement that so many events end in that hash;
whoever keeps one elsewhere can tell whether anything before it was changed since. What people typed is in the hash by
a salted digest alone, so that erasing it leaves the chain whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = "reviewqueue.audit/1"
START = "0" * 64
"""Stands for the hash before the first event."""
FIELDS = (
    "id", "at", "action", "actor_kind", "actor", "via", "queue_id", "item_id", "subject", "facts", "content_sha256",
)  # fmt: skip
STATEMENT = ("at", "key", "root", "size", "version")
"""What a checkpoint's signature covers."""
ITEM_ERASED, CONTENT_ERASED = "item.erased", "content.erased"
"""Events that say that content is gone: all that was said of their item, or that of the event they are about."""
RESTORED = "installation.restored"
"""Event that says that a backup was restored; its fact `events` is how many sealed events that had."""
MOST_FAULTS = 100


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no white space and nothing but ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def digest(event: Mapping[str, Any]) -> str:
    """SHA-256 of an event: of the canonical JSON of its fields. They are texts or null; put together here, since that
    takes a third of the time."""
    members = ",".join([f'"{name}":{_member(event[name])}' for name in _SORTED])
    return hashlib.sha256(f"{{{members}}}".encode()).hexdigest()


_SORTED = sorted(FIELDS)


def _member(value: Any) -> str:
    if value is None:
        return "null"
    return encode_basestring_ascii(value) if isinstance(value, str) else canonical(value).decode()


def link(before: str, sequence: int, event_digest: str) -> str:
    """The hash of an event in its place: after `before`, the hash of the one before."""
    return hashlib.sha256(f"{FORMAT}\n{before}\n{sequence}\n{event_digest}".encode()).hexdigest()


def content_digest(salt: str, payload: str) -> str:
    """What an event keeps of its content."""
    return hashlib.sha256((salt + payload).encode()).hexdigest()


def public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, *, size: int, root: str, at: str) -> dict[str, Any]:
    """A checkpoint: at that time the log had `size` sealed events, the last of which has the hash `root`."""
    said = {"at": at, "key": public_hex(key), "root": root, "size": size, "version": 1}
    return {**said, "signature": key.sign(canonical(said)).hex()}


def is_signed(checkpoint: Mapping[str, Any]) -> bool:
    """Whether it was signed by the key that it names."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint["key"]))
        key.verify(bytes.fromhex(checkpoint["signature"]), canonical({name: checkpoint[name] for name in STATEMENT}))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return isinstance(checkpoint["size"], int)


@dataclass(frozen=True)
class Restore:
    """A restore that the log tells of."""

    event_id: str
    at: str
    events: int
    """How many sealed events the backup had."""

    @property
    def words(self) -> str:
        return f"At {self.at} a backup with {self.events} events was restored (event {self.event_id})"


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was written."""

    kind: str
    """`altered`, `missing`, `content`, `truncated`, `rewritten`, `restored`, `forged`, `unsealed`, `unreadable`."""
    sequence: int | None
    """The event at or before which it is."""
    detail: str


@dataclass
class Checker:
    """Goes along a log, event by event, and keeps what is wrong. `end` says what."""

    trusted: frozenset[str]
    """Public keys, in hex, whose checkpoints count; none: any one key, as long as it is the same."""
    checkpoints: Iterable[Mapping[str, Any]] = ()
    begins_after: int = 0
    before: str = START
    """The hash that the first event follows, where the log does not begin at its beginning."""
    accepted: frozenset[str] = frozenset()
    """Ids of restores that whoever checks knows of: what they left out is no fault."""
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    restores: list[Restore] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place = self.begins_after
        self.last_checkpoint: Mapping[str, Any] | None = None
        self._due: dict[int, list[Mapping[str, Any]]] = {}
        self._unlike: list[Mapping[str, Any]] = []
        self._bare: list[tuple[int, str, str | None]] = []
        self._erased: set[str] = set()
        for checkpoint in self.checkpoints:
            self.expect(checkpoint)

    def fault(self, kind: str, sequence: int | None, detail: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(kind, sequence, detail))
        else:
            self.more_faults += 1

    def expect(self, checkpoint: Mapping[str, Any]) -> None:
        """The log must agree with this checkpoint."""
        if not is_signed(checkpoint):
            self.fault("forged", _size_of(checkpoint), "A checkpoint's signature is not that of the key it names.")
            return
        if not self.trusted:
            self.trusted = frozenset({checkpoint["key"]})
        if checkpoint["key"] not in self.trusted:
            name = checkpoint["key"][:16]
            self.fault("forged", checkpoint["size"], f"A checkpoint is signed by another key, {name}….")
            return
        if checkpoint["size"] <= self.place:
            if checkpoint["size"] == self.place:
                self._compare(checkpoint)
            elif checkpoint["size"] > self.begins_after:
                self.fault("unreadable", checkpoint["size"], "A checkpoint comes after later events.")
            return
        self._due.setdefault(checkpoint["size"], []).append(checkpoint)

    def add(
        self, sequence: int, sealed: str, event: Mapping[str, Any] | None, content: Mapping[str, Any] | None,
        *, event_digest: str | None = None,
    ) -> None:  # fmt: skip
        """The next event: its number and hash as they are kept, itself, and what is left of its content. A proof has
        of neighbours their digest alone."""
        if sequence != self.place + 1:
            what = "is out of place" if sequence <= self.place else f"follows {self.place}: what was between is gone"
            self.fault("missing", sequence, f"Event {sequence} {what}.")
        if event is None and event_digest is None:
            self.fault("missing", sequence, f"Event {sequence} is sealed and is not there.")
        else:
            found = digest(event) if event is not None else str(event_digest)
            if link(self.before, sequence, found) != sealed:
                self.fault("altered", sequence, f"Event {sequence}, or its seal, is not what was sealed.")
        if event is not None:
            self._look_at_content(sequence, event, content)
        # Going on with what is kept, so that one change is one fault and not one for each event behind it.
        self.before, self.place = sealed, sequence
        for checkpoint in self._due.pop(sequence, ()):
            self._compare(checkpoint)

    def note(self, event: Mapping[str, Any]) -> None:
        """An event that says that content was erased, or a backup restored; sealed or not yet."""
        if event["action"] == RESTORED:
            self.restores.append(Restore(event["id"], event["at"], int(json.loads(event["facts"])["events"])))
        elif event["action"] == ITEM_ERASED and event["item_id"]:
            self._erased.add(event["item_id"])
        elif event["action"] == CONTENT_ERASED and event["subject"]:
            self._erased.add(event["subject"])

    def _look_at_content(self, sequence: int, event: Mapping[str, Any], content: Mapping[str, Any] | None) -> None:
        self.note(event)
        if content is None:
            if event["content_sha256"] is not None:
                self._bare.append((sequence, event["id"], event["item_id"]))
        elif content_digest(content["salt"], content["payload"]) != event["content_sha256"]:
            self.fault("content", sequence, f"The content of event {sequence} is not what was written.")

    def _compare(self, checkpoint: Mapping[str, Any]) -> None:
        if checkpoint["root"] != self.before:
            # Whether a restore explains it is known at the end: the event that says so comes later.
            self._unlike.append(checkpoint)
        elif self.last_checkpoint is None or checkpoint["size"] > self.last_checkpoint["size"]:
            self.last_checkpoint = checkpoint

    def end(self, *, whole: bool = True) -> list[Fault]:
        """All faults, after the last event. `whole`: that was the last event of the log."""
        for checkpoint in self._unlike:
            size, at = checkpoint["size"], checkpoint["at"]
            if not self._left_out(checkpoint):
                self.fault("rewritten", size, f"The log up to event {size} is not the one that was signed at {at}.")
        if whole:
            for size in sorted(self._due):
                at = self._due[size][0]["at"]
                if not self._left_out(self._due[size][0]):
                    self.fault("truncated", self.place, f"The log ends at event {self.place}; at {at} it had {size}.")
            for sequence, event_id, item_id in self._bare:
                if event_id not in self._erased and item_id not in self._erased:
                    text = f"The content of event {sequence} is gone, and no event says that it was erased."
                    self.fault("content", sequence, text)
        self._due.clear()
        self._bare.clear()
        self._unlike.clear()
        return self.faults

    def _left_out(self, checkpoint: Mapping[str, Any]) -> bool:
        """Whether the checkpoint was signed before a restore, of a backup that did not reach it: then says so."""
        for restore in self.restores:
            if restore.events < checkpoint["size"] and checkpoint["at"] <= restore.at:
                if restore.event_id not in self.accepted:
                    size, at = checkpoint["size"], checkpoint["at"]
                    text = f"At {at} the log had {size} events. {restore.words}; the events after that are lost."
                    self.fault("restored", restore.events, text)
                return True
        return False


def _size_of(checkpoint: Mapping[str, Any]) -> int | None:
    size = checkpoint.get("size")
    return size if isinstance(size, int) else None


# -- the offline verifier ---------------------------------------------------------------------------------------------


def check_lines(
    lines: Iterable[str],
    *,
    keys: frozenset[str] = frozenset(),
    checkpoints: Iterable[Mapping[str, Any]] = (),
    accepted: frozenset[str] = frozenset(),
) -> tuple[Checker, dict[str, Any]]:
    """Check an export or a proof, line by line; `keys` and `checkpoints` are what its reader has from elsewhere.

    Raises `ValueError` for what is neither.
    """
    rest = iter(lines)
    head = json.loads(next(rest, "null"))
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f"This is no export of the format {FORMAT}.")
    proof = head["kind"] == "proof"
    after = head.get("after") or {"sequence": 0, "hash": START}
    checker = Checker(keys or frozenset(head["keys"]), checkpoints, after["sequence"], after["hash"], accepted)
    for number, text in enumerate(rest, 2):
        try:
            _take(checker, json.loads(text))
        except (KeyError, TypeError, ValueError) as error:
            checker.fault("unreadable", checker.place, f"Line {number} cannot be read: {error!r}.")
    if checker.place != head["size"]:
        checker.fault("truncated", checker.place, f"The file says {head['size']} and ends at event {checker.place}.")
    checker.end(whole=not proof)
    if proof and checker.last_checkpoint is None:
        checker.fault("missing", checker.place, "No checkpoint covers the event.")
    return checker, head


def _take(checker: Checker, line: Mapping[str, Any]) -> None:
    kind = line["kind"]
    if kind == "event":
        checker.add(line["sequence"], line["hash"], line["event"], line["content"])
    elif kind == "link":
        checker.add(line["sequence"], line["hash"], None, None, event_digest=line["digest"])
    elif kind == "checkpoint":
        checker.expect(line["checkpoint"])
    elif kind == "waiting":
        checker.note(line["event"])
    else:
        raise ValueError(f"unknown kind {kind!r}")


def checkpoints_in(text: str) -> list[dict[str, Any]]:
    """The checkpoints of a file that has one a line. A last line that a crash cut off is passed over."""
    found = []
    lines = [line for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            checkpoint = json.loads(line)
        except ValueError:
            if number == len(lines) and not text.endswith("\n"):
                break
            checkpoint = {}
        found.append(checkpoint if isinstance(checkpoint, dict) else {})
    return found


def summary(checker: Checker) -> list[str]:
    """What was found, in words."""
    lines = [f"FAULT {fault.kind}: {fault.detail}" for fault in checker.faults]
    lines += [f"NOTE {restore.words}: what came after those is not in this log." for restore in checker.restores]
    if checker.more_faults:
        lines.append(f"… and {checker.more_faults} more.")
    counted = checker.place - checker.begins_after
    last = checker.last_checkpoint
    covered = f"up to event {last['size']} signed at {last['at']} by key {last['key']}" if last else "none signed"
    state = "Not as it was written" if checker.faults else "As it was written"
    return [*lines, f"{state}: {counted} events, {covered}."]


def main(arguments: list[str] | None = None) -> int:
    """Check a file; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check an exported audit log, or the proof of an event.")
    parser.add_argument("file", type=Path, help="what `reviewqueue audit export` or a proof's download wrote")
    parser.add_argument("--key", action="append", default=[], help="the public key you know, in hex; may be repeated")
    parser.add_argument("--checkpoints", type=Path, help="checkpoints that you kept elsewhere, one a line")
    parser.add_argument("--restored", action="append", default=[], metavar="EVENT", help="a restore that you know of")
    given = parser.parse_args(arguments)
    try:
        own = checkpoints_in(given.checkpoints.read_text("utf-8")) if given.checkpoints else []
        with given.file.open(encoding="utf-8") as lines:
            keys, accepted = frozenset(key.lower() for key in given.key), frozenset(given.restored)
            checker, head = check_lines(lines, keys=keys, checkpoints=own, accepted=accepted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{given.file}: {error}\n")
        return 2
    found = summary(checker)
    if not given.key:
        found.append(f"No --key was given: make sure that {', '.join(head['keys']) or 'no key'} is your site's key.")
    sys.stdout.write("\n".join(found) + "\n")
    return 1 if checker.faults else 0


if __name__ == "__main__":
    sys.exit(main())
