"""What the API needs of the node, as a Protocol: `phems.bootstrap.Node` fits it.

Each use case checks who may do what, keeps the rules and writes the audit entry; the API adds a door to them
and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from phems.domain.permissions import Role
    from phems.nodespec import NodeSpec
    from phems.services.approver_keys import ApproverKeyRegister
    from phems.services.audit import AuditLog
    from phems.services.capsules import Capsules
    from phems.services.code_diffs import CodeDiffs
    from phems.services.code_revisions import CodeRevisions
    from phems.services.coordinators import Coordinators
    from phems.services.deliveries import Deliveries
    from phems.services.outbox import Outbox
    from phems.services.outputs import Outputs
    from phems.services.policies import Policies
    from phems.services.releases import Releases
    from phems.services.users import Users


class UseCases(Protocol):
    """A node's use cases. They block: the API calls them in threads."""

    @property
    def spec(self) -> NodeSpec: ...

    @property
    def approver_keys(self) -> ApproverKeyRegister: ...

    @property
    def audit(self) -> AuditLog: ...

    @property
    def code_diffs(self) -> CodeDiffs: ...

    @property
    def code_revisions(self) -> CodeRevisions: ...

    @property
    def coordinators(self) -> Coordinators: ...

    @property
    def capsules(self) -> Capsules: ...

    @property
    def deliveries(self) -> Deliveries: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def policies(self) -> Policies: ...

    @property
    def outputs(self) -> Outputs: ...

    @property
    def releases(self) -> Releases: ...

    @property
    def users(self) -> Users: ...

    def roles_in_scope(self, name: str, scope: str) -> frozenset[Role]:
        """A person's roles in the scope of a policy version: a project, or (empty) the whole node."""
        ...

    def roles_in(self, name: str, project: str | None = None) -> frozenset[Role]:
        """A person's roles on the node, with those in a project when one is named."""
        ...
