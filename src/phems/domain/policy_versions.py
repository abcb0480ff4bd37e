"""Policy versions: the rules of a project, numbered, so that a decision can name those it was made under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phems.domain.canonical import digest

SHOWN_DIGITS = 12


@dataclass(frozen=True)
class PolicyVersion:
    """The rules of one project as they stood; `content` is JSON, `digest` that of its canonical form."""

    number: int
    digest: str
    content: Mapping[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        """How audit entries and packages name it: the number, and enough of the digest to tell forgeries."""
        return f"{self.number}:{self.digest[:SHOWN_DIGITS]}"


UNVERSIONED = PolicyVersion(0, digest({}), {})
"""What a project is held to before its first version is on record: there are rules, but no number."""
