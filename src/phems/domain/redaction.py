"""Takes secrets out of a text before it is logged: those that the node knows, and whatever looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable

REDACTED = "[redacted]"
SHORTEST = 8
"""A shorter secret is found in ordinary words: taking it out would take the log apart."""

SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # Private keys, whole or cut off.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL), REDACTED),
    # Signed tokens: capabilities, and those of identity providers.
    (re.compile(r"\beyJ[\w-]{6,}\.[\w-]+\.[\w-]*"), REDACTED),
    # The node's own tokens, of users and of coordinators.
    (re.compile(r"\bphems_[\w-]*[\w-]{43}"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {REDACTED}"),
    # The password in an address, and what is asked of one: both are whoever's who wrote them.
    (re.compile(r"(\w://[^\s/:@]*):[^\s/@]+@"), rf"\1:{REDACTED}@"),
    (re.compile(r"\?[\w.%~\[\]-]+=\S*"), f"?{REDACTED}"),
    (
        re.compile(
            r"(?i)\b((?:\w+[_-])?(?:password|passwd|secret|token|api[_-]?key|session)[\"']?\s*[=:]\s*[\"']?)"
            r"[^\s\"',;]{4,}"
        ),
        rf"\1{REDACTED}",
    ),
)


class Redaction:
    """Knows secrets, and takes them out of texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: re.Pattern[str] | None = None
        self._secrets: set[str] = set()
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """These are secrets, too."""
        self._secrets |= {secret for secret in secrets if len(secret) >= SHORTEST}
        # The longest first: one may be part of another.
        longest = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest))) if longest else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        for shape, replacement in SHAPES:
            text = shape.sub(replacement, text)
        return text
