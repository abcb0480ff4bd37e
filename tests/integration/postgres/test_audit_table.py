"""The audit log in the database: appended to without a gap, and by no role changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from phems.adapters.postgres.database import Database, Role
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.domain.actors import NODE, Actor
from phems.domain.audit_verification import verify

ADA = Actor("ada")


def _fill(governance: PostgresGovernance, count: int) -> None:
    for number in range(1, count + 1):
        with governance.transaction() as tx:
            tx.audit.append(ADA, "code.submit", f"revision-{number}", project="heart-attack")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.entry SET actor = 'eve'",
        "UPDATE audit.entry SET actor = 'eve' WHERE false",
        "DELETE FROM audit.entry",
        "TRUNCATE audit.entry",
    ],
)
@pytest.mark.parametrize("role", ["admin", "owner", "governance", "dagster"])
def test_no_role_can_rewrite_history_by_a_plain_statement(
    governance: PostgresGovernance, database: Database, role: Role, statement: str
) -> None:
    _fill(governance, 2)
    with (
        pytest.raises(DBAPIError, match=r"append-only|permission denied"),
        database.engine(role).begin() as connection,
    ):
        connection.execute(text(statement))
    with governance.transaction() as tx:
        assert [entry.actor for entry in tx.audit.entries()] == ["ada", "ada"]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit.entry DISABLE TRIGGER ALL",
        "DROP TABLE audit.entry",
        "SET session_replication_role = replica",
        "DROP FUNCTION audit.refuse_change() CASCADE",
    ],
)
def test_the_role_that_acts_cannot_take_the_triggers_away(
    governance: PostgresGovernance, database: Database, statement: str
) -> None:
    with (
        pytest.raises(DBAPIError, match=r"must be owner|permission denied"),
        database.engine("governance").begin() as connection,
    ):
        connection.execute(text(statement))


def test_a_superuser_in_replica_mode_still_meets_the_triggers(
    governance: PostgresGovernance, database: Database
) -> None:
    _fill(governance, 1)
    with database.engine("admin").connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        with pytest.raises(DBAPIError, match="append-only"):
            connection.execute(text("DELETE FROM audit.entry"))


@pytest.mark.parametrize(
    ("role", "relation"),
    [("dagster", "audit.entry"), ("dagster", "governance.users"), ("governance", "dagster.anything")],
)
def test_a_role_sees_nothing_of_another_schema(database: Database, role: Role, relation: str) -> None:
    with (
        pytest.raises(DBAPIError, match="permission denied for schema"),
        database.engine(role).connect() as connection,
    ):
        connection.execute(text(f"SELECT * FROM {relation}"))  # noqa: S608


def test_acts_at_the_same_time_are_numbered_without_a_gap(governance: PostgresGovernance) -> None:
    def act(number: int) -> None:
        with governance.transaction() as tx:
            tx.audit.append(NODE, "run.admit", f"run-{number}")
            tx.audit.append(NODE, "run.launch", f"run-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(40)))
    with governance.transaction() as tx:
        entries = list(tx.audit.entries())
    assert [entry.seq for entry in entries] == list(range(1, 81))
    assert verify(entries) is None


def test_an_act_that_fails_leaves_no_entry_and_no_gap(governance: PostgresGovernance) -> None:
    _fill(governance, 1)

    def fail() -> None:
        with governance.transaction() as tx:
            tx.audit.append(ADA, "code.approve", "revision-1")
            assert tx.audit.head().size == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    _fill(governance, 1)
    with governance.transaction() as tx:
        assert [entry.seq for entry in tx.audit.entries()] == [1, 2]


def test_details_read_back_with_the_same_hash_whatever_they_hold(governance: PostgresGovernance) -> None:
    details = {
        "numbers": [0, -0.0, 1.0, 1e16, 1e300, 5e-324, 2**53 - 1, -7],
        "text": 'Grüße "\\\n\t\u2028 \U0001f9ea',
        "nested": {"b": None, "a": [True, False, {}, []]},
        "": "an empty key",
    }
    with governance.transaction() as tx:
        tx.audit.append(ADA, "output.register", "table.csv", details=details)
    with governance.transaction() as tx:
        assert verify(tx.audit.entries()) is None
        assert tx.audit.tail(1)[0].details["text"] == details["text"]


def test_the_tail_is_of_one_project_when_one_is_named(governance: PostgresGovernance) -> None:
    _fill(governance, 3)
    with governance.transaction() as tx:
        tx.audit.append(NODE, "node.start", "node")
    with governance.transaction() as tx:
        assert [entry.seq for entry in tx.audit.tail(2)] == [3, 4]
        assert [entry.seq for entry in tx.audit.tail(2, project="heart-attack")] == [2, 3]


def test_a_log_longer_than_a_page_is_read_whole(governance: PostgresGovernance) -> None:
    with governance.transaction() as tx:
        for number in range(1005):
            tx.audit.append(NODE, "run.admit", f"run-{number}")
    with governance.transaction() as tx:
        assert [entry.seq for entry in tx.audit.entries(after=2)] == list(range(3, 1006))
