"""Which address a request comes from: one answer for limits, throttles and logs.

`client_of` is right once `inbound_headers` has been passed: behind a trusted proxy it is the address that
connected to the outermost of them, else the one that connected to the gateway.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from starlette.requests import HTTPConnection
from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"
_SIX_SITE_BITS = 64
_LONGEST = 60


def client_of(connection: HTTPConnection | Scope) -> str:
    """The address that counts; `unknown` for a socket that has none."""
    client = connection.get("client")
    return str(client[0]) if client else UNKNOWN


def client_key(connection: HTTPConnection | Scope) -> str:
    """What to count a client by: its address, or its network of 64 bits, of which one machine has all."""
    return _counted_as(client_of(connection))


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks, as node.yaml writes them."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_in(address: str, trusted: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks."""
    return bool(trusted) and _is_in(address, tuple(trusted))


def is_loopback(address: str) -> bool:
    """Whether it is this machine's own."""
    found = _parsed(address)
    return found is not None and found.is_loopback


def first_untrusted(peer: str, forwarded_for: Iterable[bytes], trusted: Sequence[Network]) -> str:
    """The rightmost address of X-Forwarded-For that is no trusted proxy's; `peer` is one itself.

    Each proxy adds on the right whom it was asked by: from there on to the left, everything may have been
    made up by the one before. What is no address ends the search at the proxy that passed it on.
    """
    seen = peer
    items = [item for value in forwarded_for for item in value.decode("latin-1").split(",")]
    for item in reversed(items):
        found = _parsed(_without_port(item.strip()))
        if found is None:
            return seen
        seen = str(found)
        if not is_in(seen, trusted):
            return seen
    return seen


@lru_cache(maxsize=4096)
def _is_in(address: str, trusted: tuple[Network, ...]) -> bool:
    found = _parsed(address)
    return found is not None and any(found in network for network in trusted)


@lru_cache(maxsize=4096)
def _counted_as(address: str) -> str:
    found = _parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, _SIX_SITE_BITS), strict=False))
    return str(found) if found is not None else UNKNOWN


def _parsed(text: str) -> Address | None:
    if len(text) > _LONGEST:
        return None
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name, colon, port = text.rpartition(":")
    return name if colon and port.isdigit() and ":" not in name else text
