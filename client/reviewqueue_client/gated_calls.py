"""One call on its way through a gate, as operations that any client carries out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reviewqueue_client import operations
from reviewqueue_client.errors import Conflict
from reviewqueue_client.exchange import Flow, Policy, clock
from reviewqueue_client.json_values import plain, same
from reviewqueue_client.models import Item

TAKEN = "external_id_taken"


@dataclass
class GatedCall:
    """A call whose result, or whose arguments, people see before they count."""

    members: Mapping[str, Any]
    """Of its item, as JSON: what is known before the function runs."""
    timeout: float
    """Seconds to wait for room and for people, infinite for ever."""
    exact: bool
    """Whether no other output than this call's own may be decided on: it is what will be done."""
    ours: bool = True
    """Whether what was decided on is this call's own output, and not that of an earlier call."""

    @classmethod
    def of(cls, timeout: float | None, **members: Any) -> GatedCall:
        """One whose output is what will be done. Raises `TypeError` for a member that items do not have."""
        operations.check_names({name: value for name, value in members.items() if name not in {"queue", "input"}})
        return cls(plain(members), math.inf if timeout is None else timeout, exact=True)

    def earlier(self, policy: Policy) -> Flow[Item | None]:
        """The item that the same call made before, once it has ended; None where there is none.

        Raises `Conflict` where it is that of another call, `WaitTimeout`.
        """
        until = clock() + self.timeout
        found = yield from self._found(policy, until)
        if found is None:
            return None
        self.ours = False
        return (yield from _ended(found, policy, until))

    def review(self, output: Any, policy: Policy, **known: Any) -> Flow[Item]:
        """The item for `output`, once it has ended; `known` is what else it has. Raises what `Client.submit` and
        `Client.wait` raise."""
        until = clock() + self.timeout
        item = yield from self._submitted(output, policy, until, known)
        return (yield from _ended(item, policy, until))

    def _submitted(self, output: Any, policy: Policy, until: float, known: Mapping[str, Any]) -> Flow[Item]:
        rest = {name: value for name, value in self.members.items() if name not in {"queue", "input"}}
        body = operations.item_members(self.members["queue"], self.members["input"], output, {**rest, **known})
        try:
            return (yield from operations.submit(body, None, policy, self.timeout, waits=True))
        except Conflict as error:
            # Another process was quicker with the same call, or it is described otherwise than it was.
            found = (yield from self._found(policy, until)) if error.code == TAKEN else None
            if found is None or (self.exact and not same(found.output, body["output"])):
                raise
            self.ours = False
            return found

    def _found(self, policy: Policy, until: float) -> Flow[Item | None]:
        external_id = self.members.get("external_id")
        if external_id is None:
            return None
        query = {"queue": self.members["queue"], "external_id": external_id, "limit": "1"}
        found = (yield from operations.items(query, None, policy, until=until)).members
        if not found:
            return None
        item: Item = found[0]
        if not same(item.input, self.members["input"]):
            raise Conflict(409, TAKEN, f"Item {item.id} has the external_id {external_id!r}, and another input.")
        return item


def review_all(calls: Sequence[tuple[GatedCall, Any]], policy: Policy) -> Flow[list[Item]]:
    """The item of each call and its output, once all have ended. All are there before the first is waited for; the
    time that a call has is that for room, and once more that for people."""
    items = []
    for call, output in calls:
        items.append((yield from call._submitted(output, policy, clock() + call.timeout, {})))
    ended = []
    for (call, _), item in zip(calls, items, strict=True):
        ended.append((yield from _ended(item, policy, clock() + call.timeout)))
    return ended


def _ended(item: Item, policy: Policy, until: float) -> Flow[Item]:
    if item.ended:
        return item
    return (yield from operations.wait(item.id, max(0.0, until - clock()), policy))
