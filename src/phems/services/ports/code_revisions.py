"""Code revisions as the use cases see them, within one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from phems.domain.code_revisions import CodeRevision


class CodeRevisionStore(Protocol):
    """Keeps code revisions and the approvals on them; nothing is ever removed."""

    def lock(self, project: str) -> None:
        """Wait for, and hold, the project's code revisions until the transaction ends."""
        ...

    def get(self, project: str, commit: str) -> CodeRevision | None:
        """A code revision by its full commit name."""
        ...

    def find(self, project: str, prefix: str) -> Sequence[CodeRevision]:
        """The code revisions whose commit name begins with `prefix`."""
        ...

    def of_project(self, project: str) -> Sequence[CodeRevision]:
        """All of a project, newest submission first."""
        ...

    def undecided(self, projects: Collection[str]) -> Sequence[CodeRevision]:
        """Those of some projects that wait for approvals, by project, newest submission first."""
        ...

    def approved(self, project: str) -> CodeRevision | None:
        """The one that is APPROVED now, if any: what runs of the project run."""
        ...

    def save(self, revision: CodeRevision) -> None:
        """Add it, or bring it up to date, approvals included. Save the replaced one before the new one."""
        ...

    def announce(self, project: str) -> None:
        """Tell the running node, once the transaction commits, to look at the project's code again."""
        ...
