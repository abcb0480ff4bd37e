"""Which Host and Origin headers are the gateway's own: pure rules against DNS rebinding and forged requests.

A web page elsewhere can make its visitor's browser send requests here. Two things it cannot do: choose
the Host header (it is the name that was looked up) and change the Origin header (it is the page's).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\[\]:@/\\?#\s]+)(:\d{1,5})?", re.IGNORECASE | re.ASCII)
_LOOPBACK_NAMES = frozenset({"localhost"})


def host_is_known(host: str, names: Collection[str]) -> bool:
    """Whether a Host header names this gateway: the loopback, one of `names`, or a plain address.

    A plain address cannot be rebound: the attack needs a name whose address the attacker changes.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].lower().rstrip(".")
    return name in _LOOPBACK_NAMES or name in names or _is_address(name)


def origin_is_own(origin: str, host: str, *, tls: bool) -> bool:
    """Whether an Origin header is that of the page this gateway serves under `host`."""
    return origin.lower() == f"{'https' if tls else 'http'}://{host.lower()}"


def local_path(text: str | None) -> str:
    """A path on this gateway to go on to; `/` for whatever leads, or might lead, elsewhere."""
    if not text or not text.startswith("/") or text[1:2] in {"/", "\\"} or len(text) > 2000:  # noqa: PLR2004
        return "/"
    # Browsers drop tabs and line ends from addresses, and read a backslash as a slash.
    if not text.isprintable() or not text.isascii() or "\\" in text or " " in text:
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
