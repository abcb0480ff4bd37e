"""`phems doctor`: nothing that is right is complained of, and what is wrong is found, with a remedy."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from tests.integration.bad_input.typed_commands import project, write_spec
from tests.integration.broker.server_node import ServerNode
from tests.integration.gateway.tls_files import write_tls_files

from phems.adapters.rabbitmq.logins import load_login, save_login
from phems.bootstrap.doctor import CHECKS, Finding, State, examine
from phems.cli.__main__ import main

HEART = "heart-attack"
NOBODY = "127.0.0.1:9"


def found(folder: Path) -> dict[str, Finding]:
    """The findings by check, the worst of each."""
    worst = (State.SKIPPED, State.OK, State.WARNING, State.FAILED)
    return {row.check: row for row in sorted(examine(folder), key=lambda row: worst.index(row.state))}


def troubles(folder: Path) -> dict[str, Finding]:
    """Those that are not as they should be; how full the disk is here says nothing of the node."""
    wrong = {State.WARNING, State.FAILED}
    return {
        name: row for name, row in found(folder).items() if row.state in wrong and not name.startswith("room")
    }


def test_a_node_with_nothing_wrong_is_told_so_and_left_as_it_is(
    node: ServerNode, capsys: pytest.CaptureFixture[str]
) -> None:
    """A doctor who complains of a healthy node is not listened to when one is ill."""
    before = everything(node.folder)
    words = ["--node", str(node.folder), "doctor"]
    assert main(words) == 0, capsys.readouterr().out
    assert "0 failed" not in capsys.readouterr().out
    rows = found(node.folder)
    assert troubles(node.folder) == {}
    for name in ("postgres", "migrations", "clock", f"broker: {HEART}", "broker management", "gateway port"):
        assert rows[name].state is State.OK, rows[name]
    assert "RabbitMQ 3." in rows[f"broker: {HEART}"].seen
    assert everything(node.folder) == before
    lose_login(node)
    assert main([*words, "--json"]) == 1, "a script that sets a node up goes by it"
    told = json.loads(capsys.readouterr().out)
    assert {"check", "state", "seen", "remedy"} == set(told[0])
    assert [row["check"] for row in told if row["state"] == "failed"] == [f"broker: {HEART}"]


def everything(folder: Path) -> list[tuple[str, int, int]]:
    """Every file with its mode and size."""
    return sorted(
        (str(path), path.lstat().st_mode, path.lstat().st_size if path.is_file() else 0)
        for path in folder.rglob("*")
    )


def open_keys(node: ServerNode) -> None:
    (node.paths.keys / "database.json").chmod(0o644)


def take_release_zone(node: ServerNode) -> None:
    (node.folder / "releases").write_text("not a folder")


def open_data_folder(node: ServerNode) -> None:
    node.paths.data_dir.chmod(0o755)


def spoil_login(node: ServerNode) -> None:
    login = load_login(node.paths.keys, HEART)
    save_login(node.paths.keys, HEART, replace(login, password="guessed"))


def lose_login(node: ServerNode) -> None:
    (node.paths.keys / "broker" / f"{HEART}.json").unlink()


def name_no_broker(node: ServerNode) -> None:
    node.write(broker={"url": f"amqp://{NOBODY}", "management": node.rabbitmq.management})


def name_no_management(node: ServerNode) -> None:
    node.write(broker={"url": node.rabbitmq.url, "management": f"http://{NOBODY}"})


def name_another_page(node: ServerNode) -> None:
    node.write(broker={"url": node.rabbitmq.url, "management": f"{node.rabbitmq.management}/cli"})


def name_no_provider(node: ServerNode) -> None:
    node.write(identity={"oidc": {"issuer": f"http://{NOBODY}", "client_id": "phems"}})


def lose_secret(node: ServerNode) -> None:
    oidc = {"issuer": f"http://{NOBODY}", "client_id": "phems", "client_secret": "env:NO_SUCH_VARIABLE"}
    node.write(identity={"oidc": oidc})


def lose_repo(node: ServerNode) -> None:
    (node.folder / "code" / HEART).rename(node.folder / "code" / "moved")


def expire_certificate(node: ServerNode) -> None:
    _write_tls(node, days=-1)


def nearly_expire_certificate(node: ServerNode) -> None:
    _write_tls(node, days=7)


def _write_tls(node: ServerNode, *, days: int) -> None:
    certificate, key = write_tls_files(node.folder, days=days)
    gateway = {**node.spec["gateway"], "tls": {"certificate": certificate.name, "key": key.name}}
    node.write(gateway=gateway)


def go_back_a_migration(node: ServerNode) -> None:
    by_sql(node, "UPDATE governance.schema_version SET version_num = '0001'")


def lose_passwords(node: ServerNode) -> None:
    (node.paths.keys / "database.json").unlink()


def lose_rights(node: ServerNode) -> None:
    by_sql(node, "REVOKE USAGE ON SCHEMA audit FROM phems_governance")


def give_rights(node: ServerNode) -> None:
    by_sql(node, "GRANT USAGE ON SCHEMA governance TO phems_dagster")


def let_audit_be_rewritten(node: ServerNode) -> None:
    by_sql(node, "GRANT DELETE ON audit.entry TO phems_governance")


def by_sql(node: ServerNode, statement: str) -> None:
    """As the database's administrator."""
    engine = create_engine(node.database.address("admin"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement))


Ill = tuple[Callable[[ServerNode], None], str, State, str, str]
"""What is done, which check finds it, how bad it is, words of what it sees, words of the remedy."""

# Several at once: a doctor who stops at the first leaves the others for the next day.
ILLS: list[list[Ill]] = [
    [
        (open_keys, "keys", State.FAILED, "database.json is open to others", "chmod go-rwx"),
        (take_release_zone, "release zone", State.FAILED, "is not a folder", "ls -ld"),
        (open_data_folder, "data folder", State.WARNING, "every user of this machine", "chmod o-rwx"),
        (spoil_login, f"broker: {HEART}", State.FAILED, "does not let", "phems broker init"),
        (name_no_management, "broker management", State.FAILED, "cannot be used", "rabbitmq_management"),
        (name_no_provider, "identity provider", State.FAILED, "does not answer", "identity.oidc"),
        (lose_repo, f"repos and data: projects.{HEART}.code.repo", State.FAILED, "not exist", ""),
        (expire_certificate, "tls", State.FAILED, "has expired", "renewed"),
        (go_back_a_migration, "migrations", State.FAILED, "Its migration is 0001", "phems db init"),
        (give_rights, "database roles: phems_dagster", State.FAILED, "enters governance", "REVOKE"),
        (let_audit_be_rewritten, "database roles: phems_governance", State.FAILED, "rewrites", "REVOKE"),
    ],
    [
        (lose_login, f"broker: {HEART}", State.FAILED, "has no login", "phems broker init"),
        (name_another_page, "broker management", State.FAILED, "it answers 404", "broker.management"),
        (lose_secret, "identity provider", State.FAILED, "NO_SUCH_VARIABLE is not set", "export"),
        (nearly_expire_certificate, "tls", State.WARNING, "is valid until", "renewed"),
        (
            lose_rights,
            "database roles: phems_governance",
            State.FAILED,
            "may not enter audit",
            "phems db init",
        ),
    ],
    [
        (name_no_broker, f"broker: {HEART}", State.FAILED, "cannot be reached", "broker.url"),
        (lose_passwords, "postgres", State.FAILED, "have no passwords", "phems db init"),
    ],
]
NEED_POSTGRES = {"database roles", "migrations", "clock"}


@pytest.mark.parametrize("ills", ILLS, ids=[ills[0][0].__name__ for ills in ILLS])
def test_what_is_wrong_is_found_with_what_to_do_and_nothing_else_is(
    node: ServerNode, ills: list[Ill]
) -> None:
    """What the doctor misses, people find when the first run fails."""
    for harm, *_ in ills:
        harm(node)
    rows = troubles(node.folder)
    for _, check, state, seen, remedy in ills:
        assert check in rows, rows
        assert rows[check].state is state
        assert seen in rows[check].seen, rows[check]
        assert remedy in rows[check].remedy, rows[check]
    expected = {check for _, check, *_ in ills}
    assert set(rows) - (NEED_POSTGRES - expected) == expected


def test_a_role_with_too_much_power_is_found(node: ServerNode) -> None:
    """Whoever takes over the gateway would make themselves a superuser."""
    by_sql(node, "ALTER ROLE phems_dagster CREATEROLE CREATEDB")
    try:
        row = troubles(node.folder)["database roles: phems_dagster"]
    finally:
        by_sql(node, "ALTER ROLE phems_dagster NOCREATEROLE NOCREATEDB")
    assert row.state is State.FAILED
    assert "makes roles, makes databases" in row.seen
    assert "NOCREATEROLE" in row.remedy


def test_a_database_that_nobody_answers_for_is_told_with_all_that_needs_it(
    node: ServerNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is looked at all the same."""
    monkeypatch.setenv("PHEMS_DATABASE_URL", f"postgresql://phems@{NOBODY}/phems")
    assert set(troubles(node.folder)) == {"postgres", *NEED_POSTGRES}
    monkeypatch.delenv("PHEMS_DATABASE_URL")
    assert "PHEMS_DATABASE_URL is not set" in troubles(node.folder)["postgres"].seen


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of a node of the embedded profile that has never run."""
    write_spec(tmp_path)
    return tmp_path


def test_a_postgres_of_the_nodes_own_is_not_started_to_be_looked_at(small: Path) -> None:
    """Looking at a node that is stopped must not start half of it."""
    rows = found(small)
    assert troubles(small) == {}
    assert rows["postgres"].state is State.SKIPPED
    assert not any(name.startswith("broker") for name in rows)
    assert [path.name for path in small.iterdir()] == ["node.yaml"]


def test_a_port_that_is_taken_is_found(small: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write_spec(small, gateway={"port": taken.getsockname()[1]})
        row = troubles(small)["gateway port"]
    assert row.state is State.FAILED
    assert "in use" in row.seen


def test_a_data_folder_that_is_none_is_found(small: Path) -> None:
    (small / "data").write_text("not a folder")
    rows = troubles(small)
    assert set(rows) == {"data folder", "file system: data"}
    assert "is not a folder" in rows["data folder"].seen


def test_a_machine_without_bubblewrap_is_told_what_that_means(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a policy requires the sandbox, no run would start."""
    monkeypatch.setenv("PATH", str(small))
    assert troubles(small)["sandbox"].state is State.WARNING
    strict = {"default": {"sandbox": "required"}}
    write_spec(small, policies=strict, projects={"heart": project(small / "no-repo")})
    row = troubles(small)["sandbox"]
    assert (row.state, row.remedy) == (State.FAILED, "As root: apt-get install bubblewrap")


def test_a_node_yaml_with_problems_is_told_first_and_alone(small: Path) -> None:
    write_spec(small, profile="sever")
    rows = found(small)
    assert list(rows) == ["python", "node.yaml"]
    assert rows["node.yaml"].state is State.FAILED
    assert "did you mean server?" in rows["node.yaml"].seen


def test_no_two_checks_have_one_name() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
