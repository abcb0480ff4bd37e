"""How pages spell moments, sizes, digests, and characters that would otherwise not be seen.

All text from project code is hostile: a name may hold a character that turns the rest of the line around, or
one that no eye sees. Every text that a template writes passes `visible`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

# Control characters but tab and line ends; marks that turn text around or take no room; lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_STEP = 1000
_SHORT = 12


def visible(text: str) -> str:
    """A text in which each hidden character is spelt as its code point."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)


def shown(value: Any) -> Any:
    """What a template writes in place of a value: texts with nothing hidden in them."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def moment(at: datetime) -> str:
    """A moment for people, in UTC: "28 November 2026, 01:47"."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M}"


def size(number: int) -> str:
    """A size for people: "3 bytes", "1.2 MB"."""
    amount, unit = float(number), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    if unit == 0:
        return "1 byte" if number == 1 else f"{number} bytes"
    return f"{amount:.1f} {_UNITS[unit]}"


def short(digest: str) -> str:
    """The first characters of a digest, which tell it from others in a list."""
    return digest[:_SHORT]


def count(number: int, one: str, many: str = "") -> str:
    """A number of things: "1 file", "2 files"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
