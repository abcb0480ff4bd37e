"""The unit of work over Postgres: one transaction, the stores in it, and the audit entries at its end.

A transaction ends in this order, each step a reason not to take the next:
0. When it acts (it appended to the audit log) under an idempotency key, the key is marked as acted on.
1. What was appended to the audit log is inserted, after the log was compared with its last checkpoint.
2. The checkpoint of the new head is signed and written to the disk beside the last one.
3. The database commits: from here on the act has happened.
4. The checkpoint is published by a rename. A crash between 3 and 4 leaves the older one, which the log
   still agrees with; the next act publishes a newer one.

A connection that is lost before 3 means that nothing was done. Lost at 3, the log says what came of it: it
holds the head that was signed, or it does not. See docs/adr/0031-when-the-database-is-away.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError

from phems.adapters.clock import SystemClock
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.reconnect import is_unreachable, persistently, reconnecting
from phems.adapters.postgres.stores.audit import PostgresAuditStore
from phems.adapters.postgres.stores.users import PostgresUsersStore
from phems.domain.audit import Head
from phems.errors import ConflictError, PhemsError, UnavailableError
from phems.services.checkpoints import CheckpointKeeper
from phems.services.idempotency import present_claim
from phems.services.ports.clock import Clock

if TYPE_CHECKING:
    from phems.adapters.postgres.stores.approver_keys import PostgresApproverKeysStore
    from phems.adapters.postgres.stores.capsules import PostgresCapsulesStore
    from phems.adapters.postgres.stores.code_revisions import PostgresCodeRevisionsStore
    from phems.adapters.postgres.stores.coordinators import PostgresCoordinatorsStore
    from phems.adapters.postgres.stores.idempotency import PostgresIdempotencyKeyStore
    from phems.adapters.postgres.stores.lineage import PostgresLineageStore
    from phems.adapters.postgres.stores.notifications import PostgresNotificationsStore
    from phems.adapters.postgres.stores.output_checks import PostgresOutputChecksStore
    from phems.adapters.postgres.stores.outputs import PostgresOutputsStore
    from phems.adapters.postgres.stores.packages import PostgresPackagesStore
    from phems.adapters.postgres.stores.policies import PostgresPoliciesStore
    from phems.adapters.postgres.stores.releases import PostgresReleasesStore
    from phems.adapters.postgres.stores.runs import PostgresRunsStore
    from phems.adapters.postgres.stores.second_factors import PostgresSecondFactorsStore

T = TypeVar("T")
WAITS_FOR_CONNECTION = 5.0
"""Seconds that an act waits for a database that is away, before it is told so: a person may be waiting."""


class PostgresTransaction:
    """The stores over one connection, each made when it is first asked for."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @cached_property
    def audit(self) -> PostgresAuditStore:
        """The audit log."""
        return PostgresAuditStore(self._connection, self._clock)

    @cached_property
    def users(self) -> PostgresUsersStore:
        """Local users."""
        return PostgresUsersStore(self._connection)

    @cached_property
    def second_factors(self) -> PostgresSecondFactorsStore:
        """Second factors of local users."""
        from phems.adapters.postgres.stores.second_factors import PostgresSecondFactorsStore

        return PostgresSecondFactorsStore(self._connection)

    @cached_property
    def approver_keys(self) -> PostgresApproverKeysStore:
        """The register of approvers' public keys."""
        from phems.adapters.postgres.stores.approver_keys import PostgresApproverKeysStore

        return PostgresApproverKeysStore(self._connection)

    @cached_property
    def code_revisions(self) -> PostgresCodeRevisionsStore:
        """Code revisions and their approvals."""
        from phems.adapters.postgres.stores.code_revisions import PostgresCodeRevisionsStore

        return PostgresCodeRevisionsStore(self._connection)

    @cached_property
    def coordinators(self) -> PostgresCoordinatorsStore:
        """Tokens of federation coordinators."""
        from phems.adapters.postgres.stores.coordinators import PostgresCoordinatorsStore

        return PostgresCoordinatorsStore(self._connection)

    @cached_property
    def idempotency_keys(self) -> PostgresIdempotencyKeyStore:
        """Keys that callers gave to their acts."""
        from phems.adapters.postgres.stores.idempotency import PostgresIdempotencyKeyStore

        return PostgresIdempotencyKeyStore(self._connection)

    @cached_property
    def outputs(self) -> PostgresOutputsStore:
        """Files that runs wrote."""
        from phems.adapters.postgres.stores.outputs import PostgresOutputsStore

        return PostgresOutputsStore(self._connection)

    @cached_property
    def output_checks(self) -> PostgresOutputChecksStore:
        """What output checks found."""
        from phems.adapters.postgres.stores.output_checks import PostgresOutputChecksStore

        return PostgresOutputChecksStore(self._connection)

    @cached_property
    def releases(self) -> PostgresReleasesStore:
        """Release requests and votes."""
        from phems.adapters.postgres.stores.releases import PostgresReleasesStore

        return PostgresReleasesStore(self._connection)

    @cached_property
    def packages(self) -> PostgresPackagesStore:
        """Release packages and the outbox."""
        from phems.adapters.postgres.stores.packages import PostgresPackagesStore

        return PostgresPackagesStore(self._connection)

    @cached_property
    def runs(self) -> PostgresRunsStore:
        """What governance knows of runs."""
        from phems.adapters.postgres.stores.runs import PostgresRunsStore

        return PostgresRunsStore(self._connection)

    @cached_property
    def capsules(self) -> PostgresCapsulesStore:
        """Approvals of run capsules."""
        from phems.adapters.postgres.stores.capsules import PostgresCapsulesStore

        return PostgresCapsulesStore(self._connection)

    @cached_property
    def policies(self) -> PostgresPoliciesStore:
        """Versions of projects' rules."""
        from phems.adapters.postgres.stores.policies import PostgresPoliciesStore

        return PostgresPoliciesStore(self._connection)

    @cached_property
    def lineage(self) -> PostgresLineageStore:
        """Lineage events."""
        from phems.adapters.postgres.stores.lineage import PostgresLineageStore

        return PostgresLineageStore(self._connection)

    @cached_property
    def notifications(self) -> PostgresNotificationsStore:
        """What people are to be told."""
        from phems.adapters.postgres.stores.notifications import PostgresNotificationsStore

        return PostgresNotificationsStore(self._connection)


class PostgresGovernance:
    """`Governance` over an engine of the role phems_governance.

    Without a keeper of checkpoints the log is chained, but nothing outside the database vouches for it:
    for tests of single stores.
    """

    def __init__(
        self, engine: Engine, *, clock: Clock | None = None, checkpoints: CheckpointKeeper | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()
        self._checkpoints = checkpoints
        self._was_waited_for_in_vain = False

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """A unit of work; the steps are in the module's docstring."""
        with (
            database_failures(),
            self._connection() as connection,
            connection.begin() as database,
        ):
            work = PostgresTransaction(connection, self._clock)
            yield work
            _mark_key(work)  # 0
            keeper = self._checkpoints
            if keeper is None:
                self._commit(database, work.audit.flush())
                return
            head = work.audit.flush(  # 1
                before=lambda log, found: keeper.check(found, log, self._clock.now())
            )
            if head is None:
                self._commit(database, head)
                return
            prepared = keeper.prepare(head)  # 2
            try:
                self._commit(database, head)  # 3
                prepared.publish()  # 4
            finally:
                prepared.discard()

    def act(self, use_case: Callable[[PostgresTransaction], T]) -> T:
        """A unit of work that is done again when the database went away before it was committed."""

        def once() -> T:
            with self.transaction() as work:
                return use_case(work)

        return reconnecting(once)

    def _connection(self) -> Connection:
        """Waits a little for a database that is away, but not again after it was waited for in vain.

        Else every act of an outage would wait, and those that wait would take up all threads.
        """
        try:
            connection = reconnecting(
                self._engine.connect,
                patience=0.0 if self._was_waited_for_in_vain else WAITS_FOR_CONNECTION,
            )
        except UnavailableError:
            self._was_waited_for_in_vain = True
            raise
        self._was_waited_for_in_vain = False
        return connection

    def _commit(self, database: RootTransaction, head: Head | None) -> None:
        try:
            database.commit()
        except DBAPIError as error:
            if not is_unreachable(error):
                raise
            if head is None:
                raise _unknown("the connection to the database was lost as it was being completed.") from None
            if not self._came_to(head):
                raise

    def _came_to(self, head: Head) -> bool:
        """Whether the transaction that was to bring the log to this head did so; waits for its end."""

        def ask() -> bool:
            with self._engine.connect() as connection:
                return PostgresAuditStore(connection, self._clock).came_to(head)

        try:
            return persistently(ask, patience=WAITS_FOR_CONNECTION)
        except (DBAPIError, PhemsError) as error:
            why = f"the database went away as it was being completed, and cannot be asked: {error}"
            raise _unknown(why) from None


def _unknown(why: str) -> UnavailableError:
    # Without a cause: this is not to be done again by who does things again that were not done.
    return UnavailableError(
        "It is not known whether this was done.",
        why=why,
        remedy="Look before you do it again: phems audit tail",
    )


def _mark_key(work: PostgresTransaction) -> None:
    claim = present_claim()
    if claim is not None and work.audit.has_appended and not work.idempotency_keys.mark_acted(claim):
        raise ConflictError(
            "Nothing was done: the same act was sent again meanwhile.",
            why="its Idempotency-Key is acted on by the later request.",
            remedy="Send it again with the same key, to be told what came of it.",
        )
