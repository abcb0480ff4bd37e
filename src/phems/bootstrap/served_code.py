"""The code that a running node serves: approved revisions whose approvals verify, and none that was revoked.

Told that something about a project's code has changed, it looks at the database, not at what it was told.
"""

from __future__ import annotations

from functools import partial

from phems.bootstrap.control_plane import Record
from phems.bootstrap.node import Node
from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.engine.control_plane import ControlPlane
from phems.errors import RefusedError


class RunnableCode:
    """What of each project may run now: approved, and its approvals verify."""

    def __init__(self, node: Node, record: Record) -> None:
        self._node = node
        self._record = record

    def of(self, project: str) -> CodeRevision | None:
        """A project's code revision; None when it has none that may run, which is written down."""
        try:
            with self._node.governance.transaction() as tx:
                revision = tx.code_revisions.approved(project)
                if revision is not None:
                    self._node.code_approvals.check(tx, revision)
                return revision
        except RefusedError as error:
            self._record.changed_code(project, revision.digest if revision else "", str(error))
            return None


class ServedCode:
    """Keeps the hosts of a control plane in step with the code revisions."""

    def __init__(self, node: Node, control: ControlPlane, record: Record) -> None:
        self._node = node
        self._control = control
        self._record = record
        self._runnable = RunnableCode(node, record)

    def runnable(self) -> dict[str, str]:
        """The digest of the code that each project runs; projects without any are left out."""
        found = {name: self._runnable.of(name) for name in self._node.spec.projects}
        return {name: revision.digest for name, revision in found.items() if revision is not None}

    def follow(self, project: str) -> None:
        """Serve what is approved now, and end the runs of what was revoked with its runs."""
        revision = self._runnable.of(project)
        if revision is None:
            self._control.hosts.deactivate(project)
        else:
            self._control.hosts.activate(project, revision.digest)
        self._end_runs(project)

    def _end_runs(self, project: str) -> None:
        with self._node.governance.transaction() as tx:
            revisions = tx.code_revisions.of_project(project)
        for revision in revisions:
            if revision.state is CodeRevisionState.REVOKED and revision.stop_runs:
                by = revision.decided_by or "the node"
                record = partial(
                    self._record.ended_run, project=project, revoked_by=by, commit=revision.commit
                )
                reason = f"Cancelled by {by}, who revoked its code revision {revision.name}"
                self._control.end_runs_of(project, revision.digest, reason, record)
