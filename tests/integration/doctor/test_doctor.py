"""`phems doctor`: nothing that is right is complained of, and what is wrong is found, with a remedy."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from tests.integration.broker.server_node import ServerNode
from tests.integration.gateway.tls_files import write_tls_files

from phems.adapters.rabbitmq.logins import load_login, save_login
from phems.bootstrap.doctor import CHECKS, Finding, State, examine
from phems.cli.__main__ import main

HEART = "heart-attack"
NOBODY = "127.0.0.1:9"


def found(node: ServerNode, environ: Mapping[str, str] = os.environ) -> dict[str, Finding]:
    """The findings by check, the worst of each."""
    order = list(State)
    rows = sorted(examine(node.folder, environ), key=lambda row: order.index(row.state) % 3)
    return {row.check: row for row in rows}


def troubles(node: ServerNode, environ: Mapping[str, str] = os.environ) -> dict[str, Finding]:
    """Those that are not as they should be."""
    return {
        name: row
        for name, row in found(node, environ).items()
        if row.state in {State.WARNING, State.FAILED} and name != "room"
    }


def test_a_node_with_nothing_wrong_is_told_so_and_left_as_it_is(node: ServerNode) -> None:
    """A doctor who complains of a healthy node is not listened to when one is ill."""
    before = everything(node.folder)
    rows = found(node)
    assert troubles(node) == {}
    for name in ("postgres", "migrations", "clock", f"broker: {HEART}", "broker management", "gateway port"):
        assert rows[name].state is State.OK, rows[name]
    assert "RabbitMQ 3." in rows[f"broker: {HEART}"].seen
    assert everything(node.folder) == before


def everything(folder: Path) -> list[tuple[str, int, int]]:
    """Every file with its mode and size."""
    return sorted(
        (str(path), path.lstat().st_mode, path.lstat().st_size if path.is_file() else 0)
        for path in folder.rglob("*")
    )


def open_keys(node: ServerNode) -> None:
    (node.paths.keys / "database.json").chmod(0o644)


def take_data_folder(node: ServerNode) -> None:
    node.write(data_dir="taken")
    (node.folder / "taken").write_text("not a folder")


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


ILLS: list[tuple[Callable[[ServerNode], None], str, State, str, str]] = [
    # what is done, which check finds it, how bad it is, words of what it sees, words of the remedy
    (open_keys, "keys", State.FAILED, "database.json is open to others", "chmod go-rwx"),
    (take_data_folder, "data folder", State.FAILED, "is not a folder", "ls -ld"),
    (take_release_zone, "release zone", State.FAILED, "is not a folder", "ls -ld"),
    (open_data_folder, "data folder", State.WARNING, "every user of this machine", "chmod o-rwx"),
    (spoil_login, f"broker: {HEART}", State.FAILED, "does not let", "phems broker init"),
    (lose_login, f"broker: {HEART}", State.FAILED, "has no login", "phems broker init"),
    (name_no_broker, f"broker: {HEART}", State.FAILED, "cannot be reached", "broker.url"),
    (name_no_management, "broker management", State.FAILED, "cannot be used", "rabbitmq_management"),
    (name_another_page, "broker management", State.FAILED, "it answers 404", "broker.management"),
    (name_no_provider, "identity provider", State.FAILED, "does not answer", "identity.oidc"),
    (lose_secret, "identity provider", State.FAILED, "NO_SUCH_VARIABLE is not set", "export"),
    (lose_repo, "repos and data: projects.heart-attack.code.repo", State.FAILED, "", "git"),
    (expire_certificate, "tls", State.FAILED, "has expired", "renewed"),
    (nearly_expire_certificate, "tls", State.WARNING, "is valid until", "renewed"),
    (go_back_a_migration, "migrations", State.FAILED, "Its migration is 0001", "phems serve"),
    (lose_passwords, "postgres", State.FAILED, "have no passwords", "phems serve"),
    (lose_rights, "database roles: phems_governance", State.FAILED, "may not enter audit", "phems serve"),
    (give_rights, "database roles: phems_dagster", State.FAILED, "enters governance", "REVOKE"),
    (
        let_audit_be_rewritten,
        "database roles: phems_governance",
        State.FAILED,
        "rewrites the audit",
        "REVOKE",
    ),
]


@pytest.mark.parametrize(
    ("harm", "check", "state", "seen", "remedy"), ILLS, ids=[ill[0].__name__ for ill in ILLS]
)
def test_what_is_wrong_is_found_with_what_to_do(
    node: ServerNode, harm: Callable[[ServerNode], None], check: str, state: State, seen: str, remedy: str
) -> None:
    """What the doctor misses, people find when the first run fails."""
    harm(node)
    rows = troubles(node)
    assert check in rows, rows
    assert rows[check].state is state
    assert seen in rows[check].seen
    assert remedy in rows[check].remedy, rows[check]


def test_a_role_with_too_much_power_is_found(node: ServerNode) -> None:
    """Whoever takes over the gateway would make themselves a superuser."""
    by_sql(node, "ALTER ROLE phems_dagster CREATEROLE CREATEDB")
    try:
        row = troubles(node)["database roles: phems_dagster"]
    finally:
        by_sql(node, "ALTER ROLE phems_dagster NOCREATEROLE NOCREATEDB")
    assert row.state is State.FAILED
    assert "makes roles, makes databases" in row.seen
    assert "NOCREATEROLE" in row.remedy


def test_a_database_that_nobody_answers_for_fails_alone(node: ServerNode) -> None:
    """The rest is looked at all the same: two things may be wrong."""
    environ = {**os.environ, "PHEMS_DATABASE_URL": f"postgresql://phems@{NOBODY}/phems"}
    rows = troubles(node, environ)
    assert {name for name, row in rows.items() if row.state is State.FAILED} == {
        "postgres",
        "database roles",
        "migrations",
        "clock",
    }
    unset = {name: value for name, value in os.environ.items() if name != "PHEMS_DATABASE_URL"}
    assert "PHEMS_DATABASE_URL is not set" in troubles(node, unset)["postgres"].seen


def test_a_port_that_is_taken_is_found(node: ServerNode) -> None:
    with socket.create_server(("127.0.0.1", node.spec["gateway"]["port"])):
        row = troubles(node)["gateway port"]
    assert row.state is State.FAILED
    assert "in use" in row.seen


def test_a_machine_without_bubblewrap_is_told_what_that_means(
    node: ServerNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a policy requires the sandbox, no run would start."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert troubles(node)["sandbox"].state is State.WARNING
    node.write(policies={"default": {"sandbox": "required"}})
    row = troubles(node)["sandbox"]
    assert (row.state, row.remedy) == (State.FAILED, "As root: apt-get install bubblewrap")


def test_a_node_yaml_with_problems_is_told_first_and_alone(node: ServerNode) -> None:
    node.write(profile="sever")
    rows = found(node)
    assert list(rows) == ["python", "node.yaml"]
    assert rows["node.yaml"].state is State.FAILED
    assert "did you mean server?" in rows["node.yaml"].seen


def test_a_postgres_of_the_nodes_own_is_not_started_to_be_looked_at(node: ServerNode) -> None:
    """Looking at a node that is stopped must not start half of it."""
    node.write(profile="embedded", database={}, broker=None)
    rows = found(node)
    assert troubles(node) == {}
    assert rows["postgres"].state is State.SKIPPED
    assert not any(name.startswith("broker") for name in rows)


def test_the_command_ends_with_1_when_something_failed(
    node: ServerNode, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that sets a node up goes by it."""
    words = ["--node", str(node.folder), "doctor"]
    assert main(words) == 0
    assert " ok" in capsys.readouterr().out
    lose_login(node)
    assert main([*words, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {"check", "state", "seen", "remedy"} == set(rows[0])
    assert [row["check"] for row in rows if row["state"] == "failed"] == [f"broker: {HEART}"]


def test_no_two_checks_have_one_name() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
