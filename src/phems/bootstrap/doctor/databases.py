"""Checks on Postgres: reachable, of a version with fixes, least privilege, migrated, the same time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from phems.adapters.postgres import node_state
from phems.adapters.postgres.connections import Role
from phems.adapters.postgres.role_facts import role_facts
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok, skipped, warning
from phems.nodespec.gateway_rules import is_loopback

OLDEST = 13
LOOKED_AFTER = 14
NOT_THERE = "the node does not run, and its Postgres with it: phems serve starts both"
FEW_CONNECTIONS = 40
CLOCK_WARNS = dt.timedelta(seconds=1)
CLOCK_FAILS = dt.timedelta(seconds=30)

ENTERS: Mapping[Role, frozenset[str]] = {
    "dagster": frozenset({"dagster", "engine"}),
    "governance": frozenset({"governance", "audit"}),
}
"""The schemas that each role of the running node uses; of the others it must see nothing."""


def look_at_postgres(patient: Patient) -> Iterator[Seen]:
    """The server answers both roles of the running node."""
    database = patient.database
    if database is None:
        yield skipped(NOT_THERE)
        return
    facts, *_ = [role_facts(database, role) for role in ENTERS]
    where = facts.server or "a socket"
    if facts.major < OLDEST:
        yield failed(f"Postgres {facts.version} at {where}", f"Upgrade it to {LOOKED_AFTER} or later")
        return
    if facts.major < LOOKED_AFTER:
        yield warning(f"Postgres {facts.version} at {where} gets no fixes any more", "Upgrade it")
    else:
        yield ok(f"Postgres {facts.version} at {where}")
    if facts.server is not None and not is_loopback(facts.server) and not facts.is_tls:
        remedy = "Write database.tls in node.yaml, and have the server speak TLS"
        yield warning("metadata crosses the network in the clear", remedy)
    left = facts.most_connections - facts.connections
    if left < FEW_CONNECTIONS:
        what = f"{left} of {facts.most_connections} connections are free"
        yield warning(
            what, "Raise max_connections in postgresql.conf, or see who holds them: pg_stat_activity"
        )


def look_at_roles(patient: Patient) -> Iterator[Seen]:
    """The roles of the running node may do what they need, and nothing else."""
    database = patient.database
    if database is None:
        yield skipped(NOT_THERE)
        return
    for role, needed in ENTERS.items():
        facts = role_facts(database, role)
        beyond = [*facts.powers, *(f"is a {name}" for name in facts.member_of)]
        beyond += [f"enters {schema}" for schema in sorted(facts.enters - needed)]
        missing = sorted((needed & facts.schemas) - facts.enters)
        if beyond:
            remedy = (
                f"As the database's administrator: ALTER ROLE {facts.name} NOSUPERUSER NOCREATEROLE "
                "NOCREATEDB NOREPLICATION NOBYPASSRLS; REVOKE what was granted by hand"
            )
            yield failed(f"may more than it needs: {', '.join(beyond)}", remedy, about=facts.name)
        elif missing:
            what = f"may not enter {', '.join(missing)}"
            yield failed(what, f"{_set_up(patient)} gives the rights anew", about=facts.name)
        else:
            yield ok(f"enters {', '.join(sorted(facts.enters))} alone", about=facts.name)


def look_at_migrations(patient: Patient) -> Iterator[Seen]:
    """The schemas are those of this version of the node."""
    if patient.database is None:
        yield skipped(NOT_THERE)
        return
    node_state.check_migrated(patient.database.engine("governance"), remedy=_set_up(patient))
    yield ok("the schemas are those of this version")


def look_at_clock(patient: Patient) -> Iterator[Seen]:
    """This machine and Postgres agree on the time: leases, capabilities and the audit log rest on it."""
    if patient.database is None:
        yield skipped(NOT_THERE)
        return
    facts = role_facts(patient.database, "governance")
    apart = max(abs(facts.clock_ahead) - facts.clock_doubt, dt.timedelta())
    which = "ahead of" if facts.clock_ahead > dt.timedelta() else "behind"
    told = f"Postgres is {apart.total_seconds():.1f} s {which} this machine"
    remedy = "Have both keep time by NTP: timedatectl set-ntp true"
    if apart > CLOCK_FAILS:
        yield failed(told, remedy)
    elif apart > CLOCK_WARNS:
        yield warning(told, remedy)
    else:
        yield ok("Postgres and this machine agree within a second")


def _set_up(patient: Patient) -> str:
    """What brings about roles, rights and migrations."""
    return "phems serve" if patient.spec.database.url is None else "phems db init"
