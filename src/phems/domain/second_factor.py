"""The rules of a second factor: codes of an app (RFC 6238) that count once, and recovery codes.

Pure: what the code of a step is comes in as a function, for it takes the secret.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

STEP_SECONDS = 30
STEPS_APART = 1
"""By how many steps the clock of somebody's phone may be off."""
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
"""80 random bits: nobody guesses them, so a plain hash keeps them."""

CodeKind = Literal["code", "recovery code"]

_KINDS: Sequence[tuple[re.Pattern[str], CodeKind]] = (
    (re.compile(r"[0-9]{6}", re.ASCII), "code"),
    (re.compile(r"[a-z2-7]{16}", re.ASCII), "recovery code"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """What a user signs in with beside the password."""

    user_name: str
    sealed: str
    """The secret that their phone has too, as it is stored."""
    begun_at: datetime
    confirmed_at: datetime | None = None
    """When a first code was right; None: it is not asked for yet."""
    last_step: int | None = None
    """The step of the last code that was used: neither it nor an earlier one counts again."""


def plain(code: str) -> str:
    """A code as it is compared: people type spaces, dashes and capitals."""
    return "".join(code.split()).replace("-", "").lower()


def kind_of(code: str) -> CodeKind | None:
    """What a plain code looks like; None when it cannot be one."""
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(code)), None)


def step_at(now: datetime) -> int:
    """The step of a moment: how many times 30 s have passed since 1970."""
    return int(now.timestamp()) // STEP_SECONDS


def step_of(
    code: str, code_at: Callable[[int], str], now: datetime, last_step: int | None = None
) -> int | None:
    """The step whose code this is, if it counts: near the present one, and later than the last one used."""
    present = step_at(now)
    # Each is compared, so that the time it takes tells nothing.
    found = [
        step
        for step in range(present - STEPS_APART, present + STEPS_APART + 1)
        if hmac.compare_digest(code_at(step).encode(), code.encode(errors="replace"))
    ]
    later = [step for step in found if last_step is None or step > last_step]
    return max(later, default=None)


def recovery_code(random: bytes) -> str:
    """A recovery code as people read it: four groups of four letters and digits."""
    letters = base64.b32encode(random).decode().lower()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))
