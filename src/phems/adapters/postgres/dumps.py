"""Dumps of the node's database: one snapshot of all its schemas, by Postgres's own pg_dump and pg_restore.

No role of the node reads everything: one schema is Dagster's, the others are the owner's. So there are two
dumps, each by the role that owns what is in it, of one and the same exported snapshot.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, text

from phems.adapters.clock import SystemClock
from phems.adapters.postgres.binaries import programs
from phems.adapters.postgres.connections import Role
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.stores.audit import PostgresAuditStore
from phems.adapters.postgres.tables import SCHEMA_VERSION, has_table
from phems.domain.audit import EMPTY, Head
from phems.errors import ConflictError, UnavailableError

SCHEMAS: tuple[tuple[str, Role, tuple[str, ...]], ...] = (
    # In the order in which they are restored: what says that a database is one of a node comes last.
    ("dagster.dump", "dagster", ("dagster",)),
    ("owner.dump", "owner", ("engine", "audit", "governance")),
)
KEEPING_LOCK = "phems keeping"
"""Taken by whoever copies or removes what the node keeps: a backup and a purge never meet."""

WITH_TREE = "0007"
"""The migration since which each entry of the audit log is stored with its place in the tree."""

# What provisioning brings about; a role that is no administrator may not.
_PROVISIONED = re.compile(r"^\d+; \d+ \d+ (SCHEMA|ACL - SCHEMA|COMMENT - SCHEMA|DEFAULT ACL) ")


@dataclass(frozen=True, slots=True)
class Dumped:
    """What the snapshot was."""

    migration: str
    head: Head
    major: int


@contextmanager
def keeping(database: Database) -> Iterator[None]:
    """Hold the lock for the time of the block; ConflictError when somebody else does."""
    engine = database.engine("owner")
    with database_failures(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
        taken = holder.execute(text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": KEEPING_LOCK})
        if not taken.scalar():
            raise ConflictError(
                "A backup or a purge of this node is under way.",
                why="one copies what the other removes.",
                remedy="Wait for its end, and type the command again.",
            )
        yield
        # A session that was lost has lost the lock with it: what was done meanwhile cannot be relied on.
        still = text("SELECT pg_advisory_unlock(hashtext(:name))")
        if not holder.execute(still, {"name": KEEPING_LOCK}).scalar():
            raise UnavailableError("The connection to Postgres was lost meanwhile.", remedy="Begin again.")


def dump(database: Database, folder: Path) -> Dumped:
    """Write the dumps into `folder`, all of one moment."""
    with database_failures(), database.engine("owner").connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        snapshot = str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())
        major = major_of(connection)
        for name, role, schemas in SCHEMAS:
            only = [f"--schema={schema}" for schema in schemas]
            how = ["--format=custom", f"--snapshot={snapshot}", "--no-password", f"--file={folder / name}"]
            run_program("pg_dump", major, database.address(role), [*how, *only])
        migration = connection.execute(text("SELECT version_num FROM governance.schema_version")).scalar_one()
        return Dumped(str(migration), _head(connection, str(migration)), major)


def is_used(database: Database) -> bool:
    """Whether there is a node's database already."""
    with database_failures(), database.engine("owner").connect() as connection:
        return has_table(connection, SCHEMA_VERSION)


def load(database: Database, folder: Path) -> None:
    """Bring the dumps into a database whose roles and schemas are there, and empty.

    Each dump is loaded whole or not at all; what a load left that was cut short between the two is removed.
    """
    with database_failures():
        with database.engine("owner").connect() as connection:
            major = major_of(connection)
        with database.engine("dagster").begin() as connection:
            left = text("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'dagster'")
            for table in connection.execute(left).scalars().all():
                connection.execute(text(f"DROP TABLE dagster.{table} CASCADE"))
    for name, role, _ in SCHEMAS:
        load_one(folder / name, major, database.address(role))


def load_one(dumped: Path, major: int, address: URL) -> None:
    """Load one dump into a database with a server of version `major`, whole or not at all."""
    contents = dumped.with_name(f".{dumped.name}.list")
    how = ["--single-transaction", "--exit-on-error", "--no-owner", f"--use-list={contents}"]
    try:
        contents.write_text(_contents(dumped, major))
        run_program("pg_restore", major, address, [*how, "--no-password", str(dumped)])
    finally:
        contents.unlink(missing_ok=True)


def major_of(connection: Connection) -> int:
    """The major version of the server."""
    return int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000


def _head(connection: Connection, migration: str) -> Head:
    if migration >= WITH_TREE:
        return PostgresAuditStore(connection, SystemClock()).head()
    head = EMPTY
    for written in connection.execute(text("SELECT canonical FROM audit.entry ORDER BY seq")).scalars():
        head = head.then(written.encode())
    return head


def _contents(dumped: Path, major: int) -> str:
    """What of a dump is restored: all but what provisioning brings about."""
    listed = _output([str(_program("pg_restore", major)), "--list", str(dumped)], {})
    return "".join(f"{line}\n" for line in listed.splitlines() if not _PROVISIONED.match(line))


def run_program(name: str, major: int, address: URL, words: Sequence[str]) -> None:
    """Run a program of Postgres that fits a server of version `major`; UnavailableError when it fails."""
    # The password is not for the command line, which others on this machine can read; what ends the
    # statements of a running node does not hold here.
    bare = address.difference_update_query(["options"])._replace(password=None)
    command = [str(_program(name, major)), f"--dbname={bare.render_as_string()}", *words]
    _output(command, {"PGPASSWORD": address.password or ""})


def _output(command: Sequence[str], secrets: dict[str, str]) -> str:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **secrets}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise UnavailableError(
            f"{Path(command[0]).name} failed.",
            why=done.stderr.strip()[-2000:] or f"it ended with {done.returncode}.",
            remedy="See that Postgres runs and that its disk and that of the backup have room: df -h",
        )
    return done.stdout


def _program(name: str, major: int) -> Path:
    """The program of the version that is nearest to the server's, and not older: an older one refuses."""
    found: dict[int, Path] = {}
    with suppress(UnavailableError):
        bundled = programs() / name
        found[_version(bundled)] = bundled
    on_path = shutil.which(name)
    if on_path is not None:
        found[_version(Path(on_path))] = Path(on_path)
    fitting = [version for version in found if version >= major]
    if not fitting:
        told = ", ".join(f"{path} is of version {version}" for version, path in sorted(found.items()))
        raise UnavailableError(
            f"There is no {name} that fits Postgres {major}.",
            why=f"{told or 'none was found on PATH'}.",
            remedy=f"Install the client programs of Postgres {major}, as in: apt-get install "
            f"postgresql-client-{major}",
        )
    return found[min(fitting)]


def _version(program: Path) -> int:
    said = _output([str(program), "--version"], {})
    number = re.search(r"(\d+)", said)
    return int(number[1]) if number else 0
