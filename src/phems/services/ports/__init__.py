"""What the use cases need of the outside, as Protocols: the adapters fit these, and so do the tests' fakes.

`Governance.transaction()` is the unit of work. All stores of one `Transaction` share one database
transaction: it commits when the block ends and rolls back when an exception leaves it. The audit entries
appended within it are numbered, linked and inserted at its end, so an act and its entry are both there
or neither is. To record a refusal, append it in a transaction of its own before raising.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from phems.services.ports.approver_keys import ApproverKeyStore
    from phems.services.ports.audit import AuditWriter
    from phems.services.ports.capsules import CapsuleApprovalStore
    from phems.services.ports.code_revisions import CodeRevisionStore
    from phems.services.ports.coordinators import CoordinatorStore
    from phems.services.ports.idempotency import IdempotencyKeyStore
    from phems.services.ports.lineage import LineageStore
    from phems.services.ports.notifications import NotificationStore
    from phems.services.ports.output_checks import OutputCheckStore
    from phems.services.ports.outputs import OutputStore
    from phems.services.ports.policies import PolicyStore
    from phems.services.ports.release_packages import PackageStore
    from phems.services.ports.releases import ReleaseStore
    from phems.services.ports.runs import RunStore
    from phems.services.ports.second_factors import SecondFactorStore
    from phems.services.ports.users import UserStore

__all__ = ["Governance", "Transaction"]

T = TypeVar("T")


class Transaction(Protocol):
    """The stores, within one database transaction."""

    @property
    def audit(self) -> AuditWriter: ...

    @property
    def users(self) -> UserStore: ...

    @property
    def second_factors(self) -> SecondFactorStore: ...

    @property
    def approver_keys(self) -> ApproverKeyStore: ...

    @property
    def code_revisions(self) -> CodeRevisionStore: ...

    @property
    def coordinators(self) -> CoordinatorStore: ...

    @property
    def idempotency_keys(self) -> IdempotencyKeyStore: ...

    @property
    def outputs(self) -> OutputStore: ...

    @property
    def output_checks(self) -> OutputCheckStore: ...

    @property
    def releases(self) -> ReleaseStore: ...

    @property
    def packages(self) -> PackageStore: ...

    @property
    def runs(self) -> RunStore: ...

    @property
    def capsules(self) -> CapsuleApprovalStore: ...

    @property
    def policies(self) -> PolicyStore: ...

    @property
    def lineage(self) -> LineageStore: ...

    @property
    def notifications(self) -> NotificationStore: ...


class Governance(Protocol):
    """Where decisions are kept."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """A unit of work: commits at the end of the block, rolls back when an exception leaves it.

        Raises UnavailableError when the database cannot be reached or is full, IntegrityError when the
        audit log is shorter than, or differs from, what was signed: then no act is possible.
        """
        ...

    def act(self, use_case: Callable[[Transaction], T]) -> T:
        """`use_case` in a transaction of its own; again from its beginning, for a minute, while the database
        is away and nothing of it was committed.

        For what no person waits for. Nothing outside of the transaction may be done in it.
        """
        ...
