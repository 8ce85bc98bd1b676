"""A request goes to the address that was checked, whatever the name leads to a moment later."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from reviewqueue.core import guarded
from reviewqueue.core.addresses import allowed, target_of
from tests.fixtures.receivers import receiving


def test_a_name_is_asked_once_and_its_next_answer_is_never_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    look, asked = socket.getaddrinfo, []

    def rebinding(host: Any, *arguments: Any, **more: Any) -> Any:
        if host != "rebinding.example":
            return look(host, *arguments, **more)
        asked.append(host)
        return look("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    lets = allowed("rebinding.example")
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        target = target_of(f"http://rebinding.example:{port}/hook", lets)
        reply = guarded.exchange("POST", target, lets, headers={}, body=b"{}", seconds=5, most=100)
    assert (reply.status, asked) == (200, ["rebinding.example"])
