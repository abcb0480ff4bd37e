"""Policy versions as the use cases see them, within one transaction."""

from __future__ import annotations

from typing import Protocol

from phems.domain.policy_versions import PolicyVersion


class PolicyStore(Protocol):
    """Keeps the versions of every project's rules; nothing is ever removed."""

    def current(self, project: str) -> PolicyVersion:
        """The version in force; the unnumbered version 0 before there is one."""
        ...
