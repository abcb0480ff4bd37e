"""The embedded Postgres: stopping, killing or starting it twice loses nothing, and nobody else gets in."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from phems.adapters.node_lock import NodeLock
from phems.adapters.postgres.database import Database, open_embedded
from phems.adapters.postgres.process import running_postmaster, wait_until
from phems.errors import UnavailableError


@pytest.fixture
def folder(short_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A folder for a node of the test's own."""
    made = short_folder / f"n{abs(hash(request.node.name)) % 10**8}"
    made.mkdir()
    return made


def start(folder: Path) -> Database:
    return open_embedded(
        data=folder / "data" / "postgres",
        keys=folder / "data" / "keys",
        runtime_dir=folder / "run",
        start=True,
    )


def attach(folder: Path) -> Database:
    return open_embedded(
        data=folder / "data" / "postgres",
        keys=folder / "data" / "keys",
        runtime_dir=folder / "run",
        start=False,
    )


def add_user(database: Database, name: str) -> None:
    with database.engine("governance").begin() as connection:
        connection.execute(
            text("INSERT INTO governance.users (name, created_at, created_by) VALUES (:name, now(), 'test')"),
            {"name": name},
        )


def users(database: Database) -> list[str]:
    with database.engine("governance").connect() as connection:
        return list(connection.execute(text("SELECT name FROM governance.users ORDER BY name")).scalars())


def answers(database: Database) -> bool:
    try:
        users(database)
    except OperationalError:
        return False
    return True


def pid_of(database: Database) -> int:
    assert database.server is not None
    assert database.server.pid is not None
    return database.server.pid


def test_stopping_and_starting_again_loses_nothing(folder: Path) -> None:
    with start(folder) as first:
        add_user(first, "ada")
    assert running_postmaster(folder / "data" / "postgres") is None
    with start(folder) as second:
        assert users(second) == ["ada"]


def test_a_killed_server_is_recovered_with_all_that_was_committed(folder: Path) -> None:
    with start(folder) as database:
        add_user(database, "ada")
        killed = pid_of(database)
        os.kill(killed, signal.SIGKILL)
        # A backend of the killed server may still answer for a moment.
        server = database.server
        assert wait_until(lambda: server is not None and server.pid not in {None, killed}, seconds=30)
        assert wait_until(lambda: answers(database), seconds=30)
        assert users(database) == ["ada"]


def test_a_node_can_be_stopped_while_its_database_cannot_be_started_again(folder: Path) -> None:
    with start(folder) as database:
        (folder / "data" / "postgres" / "global" / "pg_control").unlink()
        os.kill(pid_of(database), signal.SIGKILL)
        assert wait_until(lambda: database.server is not None and database.server.pid is None, seconds=30)
    assert running_postmaster(folder / "data" / "postgres") is None


def test_a_process_that_was_given_the_old_process_id_is_not_taken_for_the_server(folder: Path) -> None:
    start(folder).close()
    # A restarted container numbers its processes from the start: the id of then is another program's now.
    mark = folder / "data" / "postgres" / "postmaster.pid"
    mark.write_text(f"{os.getpid()}\n{mark.parent}\n0\n5432\n{folder}/run/pg\n\n0 0\nready\n")
    assert running_postmaster(mark.parent) is None
    with start(folder) as second:
        assert users(second) == []


def test_a_server_left_over_by_a_killed_node_is_shut_down_before_the_next(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
        "from phems.adapters.postgres.database import open_embedded; f = Path(sys.argv[2]); "
        "d = open_embedded(data=f/'data'/'postgres', keys=f/'data'/'keys', runtime_dir=f/'run', start=True); "
        "print(d.server.pid, flush=True); sys.stdin.read()"
    )
    node = subprocess.Popen(
        [sys.executable, "-c", program, str(Path(__file__).parent), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert node.stdout is not None
    left_over = int(node.stdout.readline())
    node.kill()
    node.communicate()
    postmaster = running_postmaster(folder / "data" / "postgres")
    assert postmaster is not None
    assert postmaster.pid == left_over
    with start(folder) as next_one:
        assert pid_of(next_one) != left_over
        assert wait_until(postmaster.gone, seconds=5)


def test_a_first_start_that_was_killed_leaves_no_half_made_database(folder: Path) -> None:
    unfinished = folder / "data" / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with start(folder) as database:
        assert users(database) == []
    assert not unfinished.exists()


def test_commands_attach_to_the_server_that_runs_and_leave_it_running(folder: Path) -> None:
    with start(folder) as serving:
        add_user(serving, "ada")
        with attach(folder) as command:
            assert users(command) == ["ada"]
        assert users(serving) == ["ada"]


def test_a_command_without_a_running_node_says_how_to_start_it(folder: Path) -> None:
    start(folder).close()
    with pytest.raises(UnavailableError, match="phems serve"):
        attach(folder)


def test_the_server_listens_on_one_socket_that_no_other_account_can_open(folder: Path) -> None:
    with start(folder) as database:
        with database.engine("admin").connect() as connection:
            settings = {
                name: connection.execute(text(f"SHOW {name}")).scalar()
                for name in ("listen_addresses", "fsync", "data_checksums", "password_encryption")
            }
        assert settings == {
            "listen_addresses": "",
            "fsync": "on",
            "data_checksums": "on",
            "password_encryption": "scram-sha-256",
        }
        for path in (folder / "run" / "pg", folder / "data" / "postgres", folder / "data" / "keys"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "run").stat().st_mode) & 0o707 == 0o700
        assert stat.S_IMODE((folder / "data" / "keys" / "database.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / "run" / "pg" / ".s.PGSQL.5432").stat().st_mode) == 0o700
        assert not (folder / "run" / "pg" / "initial-password").exists()


@pytest.mark.parametrize("user", ["phems_admin", "phems_owner", "phems_governance", "phems_dagster"])
def test_nobody_gets_in_without_the_password(postgres_server: Database, user: str) -> None:
    host = str(postgres_server.base.query["host"])
    for password in ("", "wrong", user):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(host=host, user=user, password=password, dbname="phems")


def test_a_node_below_a_folder_that_is_closed_to_others_starts_too(folder: Path) -> None:
    """As root below /root: Postgres runs as another account, which could not pass there by itself."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with start(closed) as database:
        add_user(database, "ada")
    with start(closed) as database:
        assert users(database) == ["ada"]
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_lost_passwords_are_named_and_not_made_anew(folder: Path) -> None:
    start(folder).close()
    (folder / "data" / "keys" / "database.json").unlink()
    with pytest.raises(UnavailableError, match=r"keys/database\.json"):
        start(folder)
    assert not (folder / "data" / "keys" / "database.json").exists()


def test_a_database_of_another_version_is_named(folder: Path) -> None:
    start(folder).close()
    (folder / "data" / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(UnavailableError, match="Postgres 17"):
        start(folder)


def test_a_server_that_cannot_start_shows_its_own_last_words(folder: Path) -> None:
    start(folder).close()
    (folder / "data" / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(UnavailableError, match="pg_control"):
        start(folder)


def test_a_data_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"/proc/phems cannot be written"):
        NodeLock(Path("/proc/phems/lock")).acquire()


def test_passwords_are_not_shown_where_an_object_is_printed(postgres_server: Database) -> None:
    shown = repr(postgres_server) + repr(postgres_server.credentials) + repr(postgres_server.address("owner"))
    assert postgres_server.credentials.owner not in shown
    assert postgres_server.credentials.admin not in shown


def test_a_second_node_on_the_same_folder_is_refused_and_the_first_is_named(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from phems.adapters.node_lock import NodeLock; "
        "NodeLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    lock = folder / "data" / "lock"
    first = subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert first.stdout is not None
    first.stdout.readline()
    with pytest.raises(UnavailableError, match=f"process {first.pid}"):
        NodeLock(lock).acquire()
    first.kill()
    first.communicate()
    with NodeLock(lock) as second:
        assert second.holder() == os.getpid()
