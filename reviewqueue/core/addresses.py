"""Where a request of ours may go: never to an address that is not public, however it is written."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from reviewqueue.errors import Fault, Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Written out: `is_global` takes some for public that lead inside, such as 64:ff9b::7f00:1 and 2002:7f00:1::.
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(text)
    # Teredo, ORCHID and the like; documentation; 6to4, which wraps an IPv4 address.
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


@dataclass(frozen=True)
class Target:
    """An address of the internet that a request may be sent to, taken apart."""

    url: str
    scheme: str
    host: str
    """As it was written: for `Host` and for the certificate."""
    port: int
    path: str


@dataclass(frozen=True)
class Allowed:
    """What the operator lets through though it is not public: host names, addresses and networks."""

    hosts: frozenset[str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    def has(self, host: str, address: Address) -> bool:
        inside = any(address.version == network.version and address in network for network in self.networks)
        return inside or host.lower() in self.hosts

    def may_be_plain(self, host: str) -> bool:
        """Whether plain http may be spoken with that host: where the operator has named it."""
        try:
            return self.has(host, ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return host.lower() in self.hosts


class Refused(Exception):
    """The address leads where no request of ours must go, or nowhere."""


def allowed(text: str) -> Allowed:
    """From `REVIEWQUEUE_WEBHOOK_ALLOW`: host names, addresses and networks, separated by commas."""
    hosts, networks = set(), []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            hosts.add(part.lower())
    return Allowed(frozenset(hosts), tuple(networks))


def target_of(url: str, lets: Allowed) -> Target:
    """Take `url` apart. Raises `Invalid` for what nothing can be sent to. Where it leads is asked at sending."""
    faults = []
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise _invalid("is not an address such as https://example.com/hook") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise _invalid("must start with https:// and name a host")
    if parts.username is not None or parts.password is not None:
        faults.append("must hold no name and no password: the receiver checks the signature")
    if parts.fragment:
        faults.append("must have no fragment (#…)")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        faults.append("must have no white space and no control characters")
    if parts.scheme == "http" and not lets.may_be_plain(host):
        faults.append("must start with https://; plain http is for hosts that REVIEWQUEUE_WEBHOOK_ALLOW names")
    if faults:
        raise _invalid(*faults)
    path = parts.path or "/"
    path = f"{path}?{parts.query}" if parts.query else path
    if not path.isascii():
        raise _invalid("must have its path in ASCII: percent-encode the rest")
    return Target(url, parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def _invalid(*details: str) -> Invalid:
    return Invalid("Nothing can be sent to this address.", [Fault("/url", detail) for detail in details])


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet; what wraps another, and what is not certain, does not."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)


def resolve(target: Target, lets: Allowed) -> list[Address]:
    """Every address of the host, each of which may be spoken with. Raises `Refused` when one may not.

    Whoever sends must connect to one of these, and ask the name no second time: the answer may differ.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"{target.host} cannot be resolved: {error}") from None
    addresses = [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]
    _check(target, addresses, lets)
    return list(dict.fromkeys(addresses))


def _check(target: Target, addresses: Sequence[Address], lets: Allowed) -> None:
    for address in addresses:
        if not is_public(address) and not lets.has(target.host, address):
            name = "REVIEWQUEUE_WEBHOOK_ALLOW"
            raise Refused(f"{target.host} leads to {address}, which is not public. {name} may name it.")
