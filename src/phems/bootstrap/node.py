"""A node's use cases, wired to Postgres, files, git and keys; each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from phems.adapters.checkpoint_file import CheckpointFile
from phems.adapters.clock import SystemClock
from phems.adapters.node_lock import NodeLock
from phems.adapters.passwords import Argon2Hasher
from phems.adapters.postgres.database import Database, open_database
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.signing import SigningKey, load_or_create_key, signature_matches
from phems.domain.actors import Actor
from phems.domain.permissions import Role, roles_of
from phems.errors import UnavailableError
from phems.nodespec import NodePaths, NodeSpec, load_node, node_paths
from phems.services.checkpoints import CheckpointKeeper

if TYPE_CHECKING:
    from phems.adapters.approver_keys import FolderApproverKeys
    from phems.services.approval_signatures import ApprovalSignatures
    from phems.services.approver_keys import ApproverKeyRegister
    from phems.services.audit import AuditLog
    from phems.services.code_approvals import CodeApprovals
    from phems.services.code_diffs import CodeDiffs
    from phems.services.code_revisions import CodeRevisions
    from phems.services.coordinators import Coordinators
    from phems.services.output_checks import OutputChecks
    from phems.services.outputs import Outputs
    from phems.services.ports.code_repos import CodeMount
    from phems.services.project_access import ProjectAccess
    from phems.services.publisher import Publisher
    from phems.services.releases import Releases
    from phems.services.users import Users

AUDIT_KEY = "audit"


@dataclass
class Node:
    """One node's use cases, each made when it is first asked for."""

    spec: NodeSpec
    paths: NodePaths
    database: Database

    @cached_property
    def clock(self) -> SystemClock:
        """The time."""
        return SystemClock()

    @cached_property
    def audit_key(self) -> SigningKey:
        """The key that signs checkpoints; it lies outside the database."""
        return load_or_create_key(self.paths.keys, AUDIT_KEY)

    @cached_property
    def checkpoints(self) -> CheckpointKeeper:
        """What the audit log is held against."""
        return CheckpointKeeper(
            node=self.spec.node.name,
            store=CheckpointFile(self.paths.checkpoint),
            signer=self.audit_key,
            verify=signature_matches,
        )

    @cached_property
    def governance(self) -> PostgresGovernance:
        """Where decisions are kept."""
        return PostgresGovernance(
            self.database.engine("governance"), clock=self.clock, checkpoints=self.checkpoints
        )

    @cached_property
    def access(self) -> ProjectAccess:
        """Rules and permissions of projects."""
        from phems.services.project_access import ProjectAccess, rules_of_spec

        return ProjectAccess(rules_of_spec(self.spec, self.paths), self.roles_in)

    @cached_property
    def audit(self) -> AuditLog:
        """The audit log."""
        from phems.services.audit import AuditLog

        return AuditLog(
            self.spec.node.name,
            governance=self.governance,
            keeper=self.checkpoints,
            signer=self.audit_key,
            clock=self.clock,
        )

    @cached_property
    def users(self) -> Users:
        """Local users."""
        from phems.services.users import Users

        return Users(self.governance, clock=self.clock, passwords=Argon2Hasher())

    @cached_property
    def coordinators(self) -> Coordinators:
        """Federation coordinators, and their tokens."""
        from phems.services.coordinators import Coordinators

        return Coordinators(
            self.governance,
            lambda: {name: project.members.coordinator for name, project in self.spec.projects.items()},
            self.clock,
        )

    @cached_property
    def code_revisions(self) -> CodeRevisions:
        """Code revisions."""
        from phems.adapters.git import GitRepos
        from phems.services.code_revisions import CodeRevisions

        return CodeRevisions(
            self.governance, GitRepos(), self.code_mount, self.access, self.code_approvals, self.clock
        )

    @cached_property
    def code_diffs(self) -> CodeDiffs:
        """What code revisions change."""
        from phems.adapters.git import GitRepos
        from phems.services.code_diffs import CodeDiffs

        return CodeDiffs(self.governance, GitRepos(), self.access)

    @cached_property
    def code_approvals(self) -> CodeApprovals:
        """Approvals of code revisions, signed and verified."""
        from phems.services.code_approvals import CodeApprovals

        return CodeApprovals(self.approval_signatures, self.access, self.clock)

    @cached_property
    def approval_signatures(self) -> ApprovalSignatures:
        """Signatures of approvers: of code revisions, run capsules and votes."""
        from phems.services.approval_signatures import ApprovalSignatures

        return ApprovalSignatures(self.spec.node.name, self._approver_key_files, self.clock)

    @cached_property
    def approver_keys(self) -> ApproverKeyRegister:
        """The keys that approvers sign with."""
        from phems.services.approver_keys import ApproverKeyRegister

        return ApproverKeyRegister(self.governance, self._approver_key_files, self.clock)

    @cached_property
    def _approver_key_files(self) -> FolderApproverKeys:
        from phems.adapters.approver_keys import FolderApproverKeys

        return FolderApproverKeys(self.paths.keys)

    @cached_property
    def code_mount(self) -> CodeMount:
        """Where approved code lies."""
        from phems.adapters.files.code_mount import FolderCodeMount

        return FolderCodeMount(self.paths.data_dir / "code")

    @cached_property
    def outputs(self) -> Outputs:
        """Outputs of runs."""
        from phems.adapters.files.artifact_areas import FolderArtifactAreas
        from phems.services.outputs import Outputs

        areas = FolderArtifactAreas(self.paths.data_dir / "artifacts")
        return Outputs(self.governance, areas, self.access, self.clock)

    @cached_property
    def output_checks(self) -> OutputChecks:
        """What machines find about files on their way out."""
        from phems.adapters.files.artifact_areas import FolderArtifactAreas
        from phems.adapters.files.frozen_files import FolderFrozenFiles
        from phems.adapters.output_check_runner import SandboxedCheckRunner
        from phems.services.output_checks import OutputChecks

        return OutputChecks(
            self.governance,
            FolderArtifactAreas(self.paths.data_dir / "artifacts"),
            FolderFrozenFiles(self.paths.data_dir / "releases"),
            SandboxedCheckRunner(),
            self.access,
        )

    @cached_property
    def releases(self) -> Releases:
        """Release requests."""
        from phems.adapters.files.artifact_areas import FolderArtifactAreas
        from phems.adapters.files.frozen_files import FolderFrozenFiles
        from phems.adapters.files.release_zone import FolderReleaseZone
        from phems.services.releases import Releases

        return Releases(
            self.governance,
            FolderArtifactAreas(self.paths.data_dir / "artifacts"),
            FolderFrozenFiles(self.paths.data_dir / "releases"),
            FolderReleaseZone(self.paths.release_zone),
            self.access,
            self.clock,
        )

    @cached_property
    def publisher(self) -> Publisher:
        """Moves approved requests to the release zone."""
        from phems import __version__
        from phems.adapters.files.frozen_files import FolderFrozenFiles
        from phems.adapters.files.release_zone import FolderReleaseZone
        from phems.domain.release_packages import NodeIdentity
        from phems.services.publisher import Publisher

        return Publisher(
            self.governance,
            FolderFrozenFiles(self.paths.data_dir / "releases"),
            FolderReleaseZone(self.paths.release_zone),
            NodeIdentity(self.spec.node.name, self.spec.controller.name, __version__),
            self.clock,
        )

    def roles_in(self, name: str, project: str | None = None) -> frozenset[Role]:
        """The roles of a person by the node spec: node-wide ones, and those of a project when it is named."""
        node_wide = {Role.OPERATOR: self.spec.roles.operator, Role.AUDITOR: self.spec.roles.auditor}
        if project is None or project not in self.spec.projects:
            return roles_of(name, node_wide)
        members = self.spec.projects[project].members
        return roles_of(
            name,
            node_wide,
            {
                Role.DATA_ANALYST: members.data_analyst,
                Role.OUTPUT_CHECKER: members.output_checker,
                Role.INFORMATION_ASSET_OWNER: members.information_asset_owner,
            },
        )

    def actor_from_token(self, token: str) -> Actor:
        """Who acts, by an API token."""
        return self.users.authenticate_token(token)


@contextmanager
def open_node(folder: Path) -> Iterator[Node]:
    """The node whose node.yaml lies in `folder`, attached to its running database.

    When the node does not run, its database is started for the time of the block, under the node's lock.
    """
    spec = load_node(folder)
    paths = node_paths(spec, folder)
    try:
        database = open_database(spec, paths, start=False)
    except UnavailableError:
        with NodeLock(paths.lock), started_node(spec, paths) as node:
            yield node
        return
    with database:
        yield Node(spec, paths, database)


@contextmanager
def started_node(spec: NodeSpec, paths: NodePaths) -> Iterator[Node]:
    """The node with its database started and its audit log checked; the caller holds the lock."""
    with open_database(spec, paths, start=True) as database:
        node = Node(spec, paths, database)
        node.audit.open()
        yield node
