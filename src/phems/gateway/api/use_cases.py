"""What the API needs of the node, as a Protocol: `phems.bootstrap.Node` fits it.

Each use case checks who may do what, keeps the rules and writes the audit entry; the API adds a door to them
and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from phems.domain.actors import Actor
    from phems.domain.permissions import Role
    from phems.nodespec import NodePaths, NodeSpec
    from phems.services.approver_keys import ApproverKeyRegister
    from phems.services.audit import AuditLog
    from phems.services.audit_anchors import Anchoring
    from phems.services.audit_watch import AuditWatch
    from phems.services.capsules import Capsules
    from phems.services.code_diffs import CodeDiffs
    from phems.services.code_revisions import CodeRevisions
    from phems.services.code_webhooks import CodeWebhooks
    from phems.services.coordinators import Coordinators
    from phems.services.deliveries import Deliveries
    from phems.services.engine_acts import EngineActs
    from phems.services.file_views import FileViews
    from phems.services.idempotency import IdempotencyKeys
    from phems.services.lineage import Lineages
    from phems.services.membership import RolesInForce
    from phems.services.my_work import WaitingWork
    from phems.services.node_health import NodeHealth
    from phems.services.outbox import Outbox
    from phems.services.output_checks import OutputChecks
    from phems.services.outputs import Outputs
    from phems.services.policies import Policies, Waiting
    from phems.services.ports.audit import Signer
    from phems.services.project_runs import ProjectRuns
    from phems.services.releases import Releases
    from phems.services.replay import Replays
    from phems.services.run_facts import Runs
    from phems.services.users import Users


class UseCases(Protocol):
    """A node's use cases. They block: the API calls them in threads."""

    @property
    def spec(self) -> NodeSpec: ...

    @property
    def paths(self) -> NodePaths: ...

    @property
    def policy_versions(self) -> Mapping[str, str]: ...

    @property
    def anchoring(self) -> Anchoring | None: ...

    @property
    def output_checks(self) -> OutputChecks: ...

    @property
    def release_key(self) -> Signer: ...

    @property
    def replays(self) -> Replays: ...

    @property
    def runs(self) -> Runs: ...

    @property
    def lineages(self) -> Lineages: ...

    @property
    def approver_keys(self) -> ApproverKeyRegister: ...

    @property
    def audit(self) -> AuditLog: ...

    @property
    def audit_watch(self) -> AuditWatch: ...

    @property
    def engine_acts(self) -> EngineActs: ...

    @property
    def code_diffs(self) -> CodeDiffs: ...

    @property
    def code_revisions(self) -> CodeRevisions: ...

    @property
    def code_webhooks(self) -> CodeWebhooks: ...

    @property
    def coordinators(self) -> Coordinators: ...

    @property
    def capsules(self) -> Capsules: ...

    @property
    def deliveries(self) -> Deliveries: ...

    @property
    def health(self) -> NodeHealth: ...

    @property
    def membership(self) -> RolesInForce: ...

    @property
    def idempotency_keys(self) -> IdempotencyKeys: ...

    @property
    def file_views(self) -> FileViews: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def my_work(self) -> WaitingWork: ...

    @property
    def project_runs(self) -> ProjectRuns: ...

    @property
    def policies(self) -> Policies: ...

    @property
    def outputs(self) -> Outputs: ...

    @property
    def releases(self) -> Releases: ...

    @property
    def users(self) -> Users: ...

    def roles_in(self, name: str, project: str | None = None) -> frozenset[Role]:
        """A person's roles on the node, with those in a project when one is named."""
        ...

    def take_up(self, actor: Actor, spec: NodeSpec, *, ask_again: bool = False) -> Sequence[Waiting]:
        """Make policy versions of a node.yaml, and go by those in force; gives what waits."""
        ...
