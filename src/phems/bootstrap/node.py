"""A node's use cases, wired to Postgres, files, git and keys; each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from phems.adapters.passwords import Argon2Hasher
from phems.adapters.signing import RELEASE_KEY, SigningKey, load_or_create_key
from phems.bootstrap.node_grounds import NodeGrounds
from phems.domain.actors import Actor
from phems.domain.permissions import Role
from phems.errors import PhemsError
from phems.nodespec import NodeSpec, load_node
from phems.services.membership import RolesIn, RolesInForce, current_authority

if TYPE_CHECKING:
    from phems.adapters.approver_keys import FolderApproverKeys
    from phems.adapters.mlflow.servers import MlflowServers
    from phems.adapters.postgres.engine_run_history import PostgresEngineRunHistory
    from phems.bootstrap.storage import NodeFiles
    from phems.services.approval_signatures import ApprovalSignatures
    from phems.services.approver_keys import ApproverKeyRegister
    from phems.services.audit import AuditLog
    from phems.services.audit_watch import AuditWatch
    from phems.services.capsules import Capsules
    from phems.services.code_approvals import CodeApprovals
    from phems.services.code_diffs import CodeDiffs
    from phems.services.code_revisions import CodeRevisions
    from phems.services.code_webhooks import CodeWebhooks
    from phems.services.coordinators import Coordinators
    from phems.services.deliveries import Deliveries
    from phems.services.engine_acts import EngineActs
    from phems.services.file_views import FileViews
    from phems.services.idempotency import IdempotencyKeys
    from phems.services.lineage import Lineages
    from phems.services.my_work import WaitingWork
    from phems.services.node_health import NodeHealth
    from phems.services.outbox import Outbox
    from phems.services.output_checks import OutputChecks
    from phems.services.outputs import Outputs
    from phems.services.policies import Policies, Waiting
    from phems.services.ports.code_repos import CodeMount, CodeRepos
    from phems.services.ports.data_versions import DataVersions
    from phems.services.ports.identity_provider import IdentityProvider
    from phems.services.ports.users import User
    from phems.services.project_access import ProjectAccess, ProjectRules
    from phems.services.project_runs import ProjectRuns
    from phems.services.publisher import Publisher
    from phems.services.releases import Releases
    from phems.services.replay import Replays
    from phems.services.run_facts import Runs
    from phems.services.users import Users


@dataclass
class Node(NodeGrounds):
    """One node's use cases, each made when it is first asked for."""

    @cached_property
    def access(self) -> ProjectAccess:
        """Rules and permissions of projects."""
        from phems.services.project_access import ProjectAccess, rules_of_spec

        def rules_of(name: str) -> ProjectRules:
            # Read anew at each question: other rules may have come into force since.
            rules = rules_of_spec(self.spec, self.paths)(name)
            written = self.written if name in self.written.projects else self.declared
            return rules.no_looser_than(rules_of_spec(written, self.paths)(name))

        return ProjectAccess(rules_of, self.roles_in)

    @cached_property
    def engine_acts(self) -> EngineActs:
        """What people do in Dagster's own pages, recorded."""
        from phems.services.engine_acts import EngineActs

        return EngineActs(self.governance)

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
            anchoring=self.anchoring,
        )

    @cached_property
    def audit_watch(self) -> AuditWatch:
        """How far the audit log is verified."""
        from phems.services.audit_watch import AuditWatch

        return AuditWatch(
            self.audit,
            governance=self.governance,
            keeper=self.checkpoints,
            anchors=self.anchors,
            clock=self.clock,
        )

    @cached_property
    def users(self) -> Users:
        """Users, their tokens and sessions."""
        from phems.bootstrap.second_factors import factor_secrets_of
        from phems.services.users import Users

        return Users(
            self.governance,
            clock=self.clock,
            passwords=Argon2Hasher(),
            factor_secrets=factor_secrets_of(self.spec, self.paths),
            identity=lambda: self.spec.identity,
            provider=lambda: self._identity_provider,
        )

    @cached_property
    def _identity_provider(self) -> IdentityProvider | None:
        # Of node.yaml as it was at the start: its issuer and secret are no matter of policy.
        if self.spec.identity.oidc is None:
            return None
        from phems.bootstrap.identity_provider import identity_provider_of

        return identity_provider_of(self.spec.identity.oidc, self.paths)

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
    def idempotency_keys(self) -> IdempotencyKeys:
        """Keys of acts that are sent to the API."""
        from phems.adapters.secret_keys import load_or_create_secret
        from phems.services.idempotency import IdempotencyKeys

        secret = load_or_create_secret(self.paths.keys / "idempotency.key")
        return IdempotencyKeys(self.governance, self.clock, secret)

    @cached_property
    def policies(self) -> Policies:
        """What the node and its projects are held to, in versions."""
        from phems.services.policies import Policies

        return Policies(self.governance, self.roles_in_scope, self.approval_signatures, self.clock)

    @cached_property
    def replays(self) -> Replays:
        """Past decisions, taken again."""
        from phems.services.replay import Replays

        return Replays(self.governance)

    @cached_property
    def capsules(self) -> Capsules:
        """Run capsules and their approvals."""
        from phems.services.capsules import Capsules

        return Capsules(self.governance, self.access, self.approval_signatures, self.clock)

    @cached_property
    def data_versions(self) -> DataVersions:
        """What the files of data sources hold."""
        from phems.adapters.data_versions import HashedDataVersions

        return HashedDataVersions(self.paths.data_dir / "data-versions.json")

    @cached_property
    def code_repos(self) -> CodeRepos:
        """Code Repos, in folders and on other machines."""
        from phems.adapters.git import GitRepos
        from phems.adapters.git_mirrors import GitMirrors

        return GitRepos(mirrors=GitMirrors(self.paths.code_mirrors))

    @cached_property
    def code_revisions(self) -> CodeRevisions:
        """Code revisions."""
        from phems.services.code_revisions import CodeRevisions

        return CodeRevisions(
            self.governance, self.code_repos, self.code_mount, self.access, self.code_approvals, self.clock
        )

    @cached_property
    def code_diffs(self) -> CodeDiffs:
        """What code revisions change."""
        from phems.services.code_diffs import CodeDiffs

        return CodeDiffs(self.governance, self.code_repos, self.access)

    @cached_property
    def code_webhooks(self) -> CodeWebhooks:
        """Webhooks of the Code Repos' servers."""
        from phems.bootstrap.code_sync import code_webhooks_of

        return code_webhooks_of(self)

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
        from phems.services.outputs import Outputs

        return Outputs(self.governance, self.files.artifacts, self.access, self.clock)

    @cached_property
    def files(self) -> NodeFiles:
        """What steps wrote, what is frozen, and what was released: in folders or buckets."""
        from phems.bootstrap.storage import NodeFiles

        return NodeFiles(self.spec, self.paths, self.clock)

    @cached_property
    def output_checks(self) -> OutputChecks:
        """What machines find about files on their way out."""
        from phems.adapters.output_check_runner import SandboxedCheckRunner
        from phems.services.output_checks import OutputChecks

        return OutputChecks(
            self.governance,
            self.files.artifacts,
            self.files.frozen,
            SandboxedCheckRunner(),
            self.access,
        )

    @cached_property
    def releases(self) -> Releases:
        """Release requests."""
        from phems.services.releases import Releases
        from phems.services.vote_signatures import VoteSignatures

        return Releases(
            self.governance,
            self.files.artifacts,
            self.files.frozen,
            self.files.release_zone,
            self.access,
            self.clock,
            code=self.files.code,
            checks=self.output_checks,
            signatures=VoteSignatures(self.approval_signatures),
        )

    @cached_property
    def file_views(self) -> FileViews:
        """Files of release requests, for people to look at."""
        from phems.adapters.file_viewer import SandboxedFileViewer
        from phems.services.file_views import FileViews

        return FileViews(self.releases, self.files.frozen, SandboxedFileViewer(), self.access)

    @cached_property
    def runs(self) -> Runs:
        """What governance knows of runs."""
        from phems.services.run_facts import Runs

        return Runs(self.governance, self.access)

    @cached_property
    def lineages(self) -> Lineages:
        """Where files come from."""
        from phems.services.lineage import Lineages

        return Lineages(self.governance, self.access)

    @cached_property
    def engine_runs(self) -> PostgresEngineRunHistory:
        """The runs that the engine has on record."""
        from phems.adapters.postgres.engine_run_history import PostgresEngineRunHistory

        return PostgresEngineRunHistory(self.database.engine("dagster"))

    @cached_property
    def project_runs(self) -> ProjectRuns:
        """Runs, as the pages show them."""
        from phems.services.project_runs import ProjectRuns

        return ProjectRuns(self.governance, self.access, self.engine_runs)

    @cached_property
    def my_work(self) -> WaitingWork:
        """What waits for whom."""
        from phems.services.my_work import WaitingWork

        return WaitingWork(
            self.governance,
            lambda: list(self.spec.projects),
            self.roles_in_scope,
            self.engine_runs,
            self.clock,
        )

    @cached_property
    def mlflow(self) -> MlflowServers:
        """The MLflow servers of projects; who starts them closes them."""
        from phems.bootstrap.mlflow import mlflow_servers_of

        return mlflow_servers_of(lambda: self.spec, self.paths, self.database, self.files.mlflow)

    @cached_property
    def release_key(self) -> SigningKey:
        """The key that signs release packages."""
        return load_or_create_key(self.paths.keys, RELEASE_KEY)

    @cached_property
    def publisher(self) -> Publisher:
        """Moves approved requests to the release zone."""
        from phems.bootstrap.publishing import publisher_of

        return publisher_of(self)

    @cached_property
    def outbox(self) -> Outbox:
        """Released packages, for coordinators."""
        from phems.services.outbox import Outbox

        return Outbox(self.governance)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Released packages, handed to coordinators."""
        from phems.services.deliveries import Deliveries

        return Deliveries(self.governance, self.files.release_zone, self.coordinators.projects)

    @cached_property
    def health(self) -> NodeHealth:
        """How the node is: processes, disks, database, rules, anchors."""
        from phems.adapters.files.disk_space import LocalDisks
        from phems.adapters.postgres.server_facts import PostgresServer
        from phems.adapters.software import versions
        from phems.adapters.status_file import StatusFile
        from phems.bootstrap.lineage import targets_named
        from phems.services.lineage_events import standings
        from phems.services.node_health import NodeHealth

        return NodeHealth(
            self.spec.node.name,
            status=StatusFile(self.paths.status),
            disks=LocalDisks({"Data": self.paths.data_dir, "Release zone": self.paths.release_zone}),
            database=PostgresServer(self.database.engine("governance")),
            policies=self.policies,
            anchoring=self.anchoring,
            lineage=lambda: standings(self.governance, targets_named(self.declared)),
            versions=versions,
        )

    @cached_property
    def membership(self) -> RolesInForce:
        """Who holds which roles, by name and by group."""
        return RolesInForce(lambda: self.spec, self.users.remembered_groups)

    def roles_in(self, name: str, project: str | None = None) -> frozenset[Role]:
        """The roles of a person: node-wide ones, and those of a project when it is named."""
        return self.membership.roles(name, project)

    def roles_in_scope(self, name: str, scope: str) -> frozenset[Role]:
        """The roles of a person in the scope of a policy version: a project, or (empty) the whole node."""
        return self.membership.in_scope(name, scope)

    def roles_among(self, users: Iterable[User]) -> RolesIn:
        """The same of people whose rows are at hand, without a look at the database for each."""
        groups = {user.name: self.users.groups_of(user) for user in users}
        return RolesInForce(lambda: self.spec, lambda name: groups.get(name, frozenset())).in_scope

    def take_up(self, actor: Actor, spec: NodeSpec, *, ask_again: bool = False) -> Sequence[Waiting]:
        """Make policy versions of a node.yaml, and go by those in force; gives what waits."""
        from phems.nodespec.governed import contents_of

        self.waiting = self.policies.take_up(actor, contents_of(spec), ask_again=ask_again)
        self.declared = self.written = spec
        self.follow_policies()
        return self.waiting

    def follow_policies(self) -> None:
        """Go by the policy versions that are in force now; a node without any goes by node.yaml."""
        from phems.nodespec.governed import in_force

        versions = self.policies.in_force()
        # A node.yaml that is being edited may not be one: then the last that was counts on.
        with suppress(PhemsError):
            self.written = load_node(self.paths.folder)
        if versions:
            self.spec = in_force(self.declared, {scope: found.content for scope, found in versions.items()})
        self.policy_versions = {scope: found.label for scope, found in versions.items()}

    def actor_from_token(self, token: str) -> Actor:
        """Who acts, by an API token: from now on, and as far as its scope goes."""
        authority = self.users.authenticate_token(token)
        current_authority.set(authority)
        return authority.actor
