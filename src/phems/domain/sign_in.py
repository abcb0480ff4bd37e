"""The rules of signing in: names, passwords, secrets that stand for a user, and slowing down guessing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from phems.domain.actors import LOCAL_OPERATOR, NODE
from phems.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,126}", re.ASCII)
EMAIL = re.compile(r"[^@\s<>\",;]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,187}[A-Za-z0-9])?")
RESERVED = frozenset({LOCAL_OPERATOR.name, NODE.name})

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024  # hashing a megabyte would be a way to keep the node busy

TOKEN_PREFIX = "phems_"  # noqa: S105 (it marks a token as one, for people and for secret scanners)
TOKEN_LIFETIME = timedelta(days=90)
LONGEST_TOKEN_LABEL = 100
SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is written down when a session or token was last used."""

PENDING_LIFETIME = timedelta(minutes=10)
"""How long somebody may take at the identity provider, or to find their second factor."""

FREE_FAILURES = 5
LONGEST_WAIT = timedelta(minutes=5)
# A hospital's people may all come from one address: more tries are free, and it is waited for less long.
FREE_ADDRESS_FAILURES = 50
LONGEST_ADDRESS_WAIT = timedelta(minutes=1)


def check_name(name: str) -> str:
    """A name that a user may have; InputError otherwise."""
    if NAME.fullmatch(name) is None or name in RESERVED:
        raise InputError(
            f"{name!r} cannot be a user's name.",
            why="a name has small letters, digits and . _ @ + -, 127 at most, and is not one of the node's "
            f"own ({', '.join(sorted(RESERVED))}).",
            remedy="Take another, such as ada or ada@example.org.",
        )
    return name


def check_email(email: str) -> str:
    """An address that a user may be told things at; InputError otherwise."""
    if EMAIL.fullmatch(email) is None or not email.isprintable():
        raise InputError(
            "That is not a mail address.",
            why="it is one name, an @ and a machine's name, without anything around.",
            remedy="Write it as in iris@hospital.example.",
        )
    return email


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """The address that an identity provider vouches for; None when there is none that mail may go to."""
    found = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(found, str):
        return None
    return found if EMAIL.fullmatch(found) is not None and found.isprintable() else None


def check_password(password: str) -> str:
    """A password that may be set; InputError otherwise, which does not quote it."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InputError(
            "The password cannot be used.",
            why=f"it has {len(password)} characters, not {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}.",
            remedy="Take a few words that only you would put together.",
        )
    return password


def printable(text: str) -> str:
    """What somebody else wrote, as it may stand in a message: one short line."""
    return "".join(char if char.isprintable() else "?" for char in text[:200])


def check_label(label: str) -> str:
    """What a token may be called; InputError otherwise."""
    label = label.strip()
    if len(label) > LONGEST_TOKEN_LABEL or not label.isprintable():
        raise InputError(
            "The token cannot be called that.",
            why=f"what it is called is one line of at most {LONGEST_TOKEN_LABEL} characters.",
            remedy='Say what it is for, such as "nightly export".',
        )
    return label


def wait_after(failures: int, last_at: datetime, now: datetime) -> timedelta:
    """How long the next try under a name has to wait: nothing for the first few, then twice as long each."""
    return _wait(failures - FREE_FAILURES, LONGEST_WAIT, last_at, now)


def address_wait_after(failures: int, last_at: datetime, now: datetime) -> timedelta:
    """How long the next try from an address has to wait, under whatever name."""
    return _wait(failures - FREE_ADDRESS_FAILURES, LONGEST_ADDRESS_WAIT, last_at, now)


def address_key(address: str) -> str:
    """What tries from an address are counted under: no name looks like it.

    Of an IPv6 address the network counts: one machine has 2^64 addresses to come from.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "address unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return f"address {parsed.ipv4_mapped}"
        return f"address {ipaddress.IPv6Network((int(parsed), 64), strict=False)}"
    return f"address {parsed}"


def _wait(beyond: int, longest: timedelta, last_at: datetime, now: datetime) -> timedelta:
    if beyond < 0:
        return timedelta(0)
    # Capped before the power: an int of any size is fine, a timedelta is not.
    pause = min(timedelta(seconds=2 ** min(beyond, 10)), longest)
    return max(last_at + pause - now, timedelta(0))
