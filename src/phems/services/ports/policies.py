"""Policy versions as the use cases see them, within one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from phems.domain.policy_versions import PolicyRecord, PolicyVersion


class PolicyStore(Protocol):
    """Keeps the versions of what each project, and the node, is held to; nothing is ever removed."""

    def lock(self) -> None:
        """Wait for, and hold, all versions until the transaction ends."""
        ...

    def current(self, project: str) -> PolicyVersion:
        """The version in force; the unnumbered version 0 before there is one."""
        ...

    def in_force(self) -> Mapping[str, PolicyVersion]:
        """The versions in force of every scope that has one; of the node as a whole under the empty name."""
        ...

    def get(self, scope: str, number: int) -> PolicyRecord | None:
        """A version of a scope."""
        ...

    def of_scope(self, scope: str) -> Sequence[PolicyRecord]:
        """All versions of a scope, newest first."""
        ...

    def pending(self) -> Sequence[PolicyRecord]:
        """The versions that wait for a second person, by scope."""
        ...

    def save(self, record: PolicyRecord) -> None:
        """Add it, or bring its state up to date. Save the replaced one before the new one."""
        ...

    def announce(self, scope: str) -> None:
        """Tell the running node, once the transaction commits, that other rules are in force."""
        ...


Contents = Mapping[str, Mapping[str, Any]]
"""Contents of policy versions by scope."""
