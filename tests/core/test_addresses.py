"""Where webhooks go, and where not, however it is written."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from reviewqueue.core.addresses import Refused, allowed, is_public, resolve, target_of
from reviewqueue.errors import Invalid

NOBODY = allowed("")

INSIDE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "100.64.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_is_known(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_public_internet_is_open(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "①②⑦.⓪.⓪.①", "[::1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]", "[fe80::1]", "0", "169.254.169.254",
    ],
)  # fmt: skip
def test_every_spelling_of_an_inner_address_is_refused(host: str) -> None:
    with pytest.raises(Refused):
        resolve(target_of(f"https://{host}/hook", NOBODY), NOBODY)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com", "file:///etc/passwd", "https://", "https:///path", "http://example.com/",
        "https://user@example.com/", "https://user:secret@example.com/", "https://example.com/#part",
        "https://example.com:99999/", "https://exa mple.com/", "https://example.com/\r\nHost: other", "https://[::1/",
        "gopher://example.com", "https://example.com/ü",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_webhook_is_refused_with_a_pointer(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        target_of(url, NOBODY)
    assert {fault.pointer for fault in refused.value.faults} == {"/url"}


def test_one_inner_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        resolve(target_of("https://rebinding.example/", NOBODY), NOBODY)


def test_the_operator_lets_through_what_is_named_and_nothing_else() -> None:
    lets = allowed("127.0.0.0/8, hooks.internal")
    assert resolve(target_of("http://127.0.0.1:8080/x", lets), lets)
    assert target_of("http://hooks.internal/x", lets).host == "hooks.internal"
    with pytest.raises(Refused):
        resolve(target_of("https://[::1]/", lets), lets)
    with pytest.raises(Invalid):
        target_of("http://10.0.0.1/", lets)
