"""An external Postgres over TCP: set up once by an administrator, used without one, with TLS as asked."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from sqlalchemy import text
from tests.certificates import CertificateAuthority
from tests.external_postgres import ExternalPostgres

from phems.adapters.mlflow.database_relay import DatabaseRelay, way_to
from phems.adapters.postgres.connections import Role
from phems.adapters.postgres.dagster_storage import open_storages
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.mlflow_schemas import address_of, bring_about, role_of, schema_of
from phems.adapters.secret_keys import load_or_create_secret
from phems.bootstrap import open_node
from phems.bootstrap.database import open_database, set_up_database
from phems.cli.__main__ import main
from phems.domain.actors import LOCAL_OPERATOR
from phems.errors import InputError, PhemsError, UnavailableError
from phems.nodespec import load_node, node_paths


@dataclass
class NodeThere:
    """A node.yaml whose database is on the external server."""

    folder: Path
    server: ExternalPostgres
    database: str
    section: dict[str, Any] = field(default_factory=dict)
    projects: dict[str, Any] = field(default_factory=dict)

    def write(self, **section: Any) -> NodeThere:
        """Write node.yaml, with more in its section `database`."""
        self.section = {"url": self.server.address(self.database), **section}
        document = {
            "version": 1,
            "node": {"name": "n"},
            "controller": {"name": "A hospital"},
            "database": self.section,
            "projects": self.projects,
        }
        (self.folder / "node.yaml").write_text(json.dumps(document))
        return self

    def open(self, *, start: bool = True) -> Database:
        """Its database, as a serving node opens it."""
        spec = load_node(self.folder)
        return open_database(spec, node_paths(spec, self.folder), start=start)

    def set_up(self, *, reset_passwords: bool = False) -> None:
        """What `phems db init` does."""
        spec = load_node(self.folder)
        paths = node_paths(spec, self.folder)
        set_up_database(spec, paths, self.server.admin(), reset_passwords=reset_passwords).close()


@pytest.fixture(scope="module")
def server(short_folder: Path) -> Iterator[ExternalPostgres]:
    """One server for all tests of this module."""
    with ExternalPostgres(short_folder / "external") as running:
        yield running


@pytest.fixture
def new_node(server: ExternalPostgres, tmp_path: Path) -> Iterator[NodeThere]:
    """A node whose database is not there yet, on a server that has none of its roles."""
    node = NodeThere(tmp_path, server, f"n{secrets.token_hex(4)}").write()
    yield node
    with server.engine().connect() as admin:
        admin.execute(text(f"DROP DATABASE IF EXISTS {node.database} WITH (FORCE)"))
        for role in ("phems_owner", "phems_dagster", "phems_governance"):
            admin.execute(text(f"DROP ROLE IF EXISTS {role}"))


ROLES: tuple[Role, ...] = ("owner", "dagster", "governance")


def scalar(database: Database, role: Role, statement: str) -> Any:
    with database.engine(role).connect() as connection:
        return connection.execute(text(statement)).scalar()


def test_once_set_up_a_node_runs_without_an_administrator(
    new_node: NodeThere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise a node, or whoever breaks into it, holds the password of the whole server."""
    monkeypatch.setenv("PHEMS_NODE", str(new_node.folder))
    monkeypatch.setenv("PHEMS_DB_ADMIN", new_node.server.admin())
    for _ in range(2):  # an upgrade does it again
        assert main(["db", "init", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert told["database"] == new_node.database
    monkeypatch.delenv("PHEMS_DB_ADMIN")
    with new_node.open() as database, open_node(new_node.folder) as node:
        assert database.admin is None
        node.audit.open()
        assert node.audit.verify(LOCAL_OPERATOR).ok
        open_storages(database.url("dagster")).close()  # its tables are its own to make
        rights = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
        for role in ROLES:
            assert scalar(database, role, rights) is False
    keys = node_paths(load_node(new_node.folder), new_node.folder).keys
    assert (keys.stat().st_mode & 0o777, (keys / "database.json").stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_backup_of_a_node_is_restored_to_a_server_that_has_nothing_of_it(
    new_node: NodeThere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the loss of both machines: the node's roles are no administrators, and dump all the same."""
    new_node.set_up()
    monkeypatch.setenv("PHEMS_DB_ADMIN", new_node.server.admin())
    kept, restored = new_node.folder / "kept", new_node.folder / "restored"
    node = ["--node", str(new_node.folder)]
    assert main([*node, "user", "add", "ada"]) == 0
    with new_node.open() as database:
        open_storages(database.url("dagster")).close()
    assert main([*node, "backup", str(kept)]) == 0
    capsys.readouterr()
    assert main(["restore", str(kept), str(restored)]) == 2
    assert "is that of a node" in capsys.readouterr().err
    with new_node.server.engine().connect() as admin:
        admin.execute(text(f"DROP DATABASE {new_node.database} WITH (FORCE)"))
        for role in ("phems_owner", "phems_dagster", "phems_governance"):
            admin.execute(text(f"DROP ROLE {role}"))
    monkeypatch.delenv("PHEMS_DB_ADMIN")
    assert main(["restore", str(kept), str(restored)]) == 2
    assert "administrator" in capsys.readouterr().err
    monkeypatch.setenv("PHEMS_DB_ADMIN", new_node.server.admin())
    assert main(["restore", str(kept), str(restored)]) == 0
    capsys.readouterr()
    monkeypatch.delenv("PHEMS_DB_ADMIN")
    assert main(["--node", str(restored), "audit", "verify"]) == 0
    assert main(["--node", str(restored), "--json", "user", "list"]) == 0
    assert '"name": "ada"' in capsys.readouterr().out
    spec = load_node(restored)
    with open_database(spec, node_paths(spec, restored), start=True) as database:
        assert scalar(database, "dagster", "SELECT count(*) FROM runs") == 0


def test_a_node_whose_database_was_not_set_up_says_how(new_node: NodeThere) -> None:
    """Otherwise an operator reads a traceback about a missing table."""
    with pytest.raises(UnavailableError, match="was not set up") as raised:
        new_node.open()
    assert raised.value.remedy.startswith("phems db init")
    new_node.set_up()
    with new_node.open() as database, database.engine("owner").begin() as connection:
        connection.execute(text("UPDATE governance.schema_version SET version_num = '0001'"))
    with pytest.raises(UnavailableError, match="not that of this version") as outdated:
        new_node.open()
    assert outdated.value.remedy == "phems db init"


def test_roles_whose_passwords_are_lost_are_given_others_when_that_is_asked_for(new_node: NodeThere) -> None:
    """Otherwise a lost keys folder costs the database, or another node's roles are taken over in passing."""
    new_node.set_up()
    keys = node_paths(load_node(new_node.folder), new_node.folder).keys
    (keys / "database.json").unlink()
    with pytest.raises(UnavailableError, match="cannot be set up") as refused:
        new_node.set_up()
    assert "--reset-passwords" in refused.value.remedy
    new_node.set_up(reset_passwords=True)
    with new_node.open() as database:
        assert scalar(database, "governance", "SELECT 1") == 1


@pytest.mark.parametrize(
    ("database", "admin", "what"),
    [
        ({}, "postgresql://a:b@localhost/postgres", "a Postgres of its own"),
        ({"url": "postgresql://localhost/phems"}, "postgresql://localhost/postgres", "names no user"),
        ({"url": "postgresql://localhost/phems"}, "nonsense", "not the address"),
    ],
)
def test_what_cannot_be_set_up_is_told(
    tmp_path: Path, database: dict[str, str], admin: str, what: str
) -> None:
    """Each a slip that is made once."""
    document = {"version": 1, "node": {"name": "n"}, "controller": {"name": "c"}, "database": database}
    (tmp_path / "node.yaml").write_text(json.dumps(document))
    spec = load_node(tmp_path)
    with pytest.raises(InputError, match=what):
        set_up_database(spec, node_paths(spec, tmp_path), admin, reset_passwords=False)


def test_the_command_wants_an_administrator_and_a_folder(
    new_node: NodeThere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two things that only a person can know."""
    monkeypatch.delenv("PHEMS_DB_ADMIN", raising=False)
    assert main(["--node", str(new_node.folder), "db", "init"]) == InputError.exit_code
    assert "PHEMS_DB_ADMIN" in capsys.readouterr().err
    assert main(["--node", "https://node.example", "db", "init", "--admin-url", "x"]) == InputError.exit_code
    assert "where the node is" in capsys.readouterr().err


def is_encrypted(node: NodeThere, role: Role) -> bool:
    """Whether a new connection of a role is."""
    with node.open(start=False) as database:
        assert scalar(database, role, "SELECT 1") == 1
    return node.server.tls.encrypted[-1]


def test_tls_is_spoken_and_the_server_verified_as_the_node_spec_says(
    new_node: NodeThere, tmp_path: Path
) -> None:
    """Otherwise metadata and passwords cross the network to whoever answers."""
    ca = str(new_node.server.authority.certificate)
    new_node.server.tls.encrypted.clear()
    new_node.write(tls={"ca": ca}).set_up()  # verify-full
    assert all(new_node.server.tls.encrypted)
    for role in ROLES:
        assert is_encrypted(new_node, role)
    assert is_encrypted(new_node.write(tls={"mode": "require"}), "governance")
    assert not is_encrypted(new_node.write(tls={"mode": "disable"}), "governance")

    by_address = new_node.server.address(new_node.database, host="127.0.0.1")
    assert is_encrypted(new_node.write(url=by_address, tls={"mode": "verify-ca", "ca": ca}), "governance")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    other_ca = str(CertificateAuthority(foreign, "Another CA").certificate)
    for told, refused in (
        ("does not match host name", {"url": by_address, "tls": {"ca": ca}}),
        ("certificate verify failed", {"tls": {"mode": "verify-ca", "ca": other_ca}}),
        ("certificate verify failed", {"tls": {}}),  # the machine's CAs know nothing of this one
    ):
        with pytest.raises(PhemsError) as raised:
            new_node.write(**refused).open()
        assert told in str(raised.value)


def test_the_nodes_own_certificate_is_shown_to_a_server_that_asks(new_node: NodeThere) -> None:
    """Otherwise a server that wants certificates cannot be used."""
    server = new_node.server
    tls = {"ca": str(server.authority.certificate)}
    new_node.write(tls=tls).set_up()
    issued = server.authority.issue("node")
    server.tls.wants_certificates(True)
    try:
        with pytest.raises(PhemsError):
            new_node.open()
        certified = {**tls, "certificate": str(issued.certificate), "key": str(issued.key)}
        assert is_encrypted(new_node.write(tls=certified), "governance")
    finally:
        server.tls.wants_certificates(False)


def test_a_running_node_ends_statements_that_take_too_long_and_migrations_are_not_ended(
    new_node: NodeThere,
) -> None:
    """Otherwise one query holds a connection for ever; and a long migration could never be run."""
    new_node.set_up()
    with new_node.open() as database:
        shown = {role: scalar(database, role, "SHOW statement_timeout") for role in ROLES}
    assert shown == {"dagster": "1min", "governance": "1min", "owner": "0"}
    # The driver reads an address otherwise than SQLAlchemy does; and one may have options of its own.
    url = f"{new_node.section['url']}?options=-c%20work_mem=8MB"
    with new_node.write(url=url).open() as database, psycopg2.connect(database.url("dagster")) as plain:
        for name, value in (("statement_timeout", "1min"), ("work_mem", "8MB")):
            cursor = plain.cursor()
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,)
    with new_node.write(statement_timeout=1).open() as database:
        with pytest.raises(UnavailableError, match="too busy") as raised, database_failures():
            scalar(database, "governance", "SELECT pg_sleep(30)")
        assert "statement timeout" in raised.value.why


def test_a_process_takes_no_more_connections_than_the_node_spec_says(new_node: NodeThere) -> None:
    """Otherwise several workers use up the server's, and nobody else gets in."""
    new_node.set_up()
    with new_node.write(connections={"governance": 4, "engine": 4}).open() as database:
        engine = database.engine("governance")
        taken = [engine.connect() for _ in range(4)]
        assert engine.pool.status().startswith("Pool size: 1 ")
        assert "Current Checked out connections: 4" in engine.pool.status()
        for connection in taken:
            connection.close()


def test_an_mlflow_server_reaches_its_own_schema_and_nothing_else(
    new_node: NodeThere, tmp_path: Path, short_folder: Path
) -> None:
    """Otherwise MLflow, made to run SQL, would read another project's models or the audit log."""
    members = {"output_checker": ["carol", "dmitri"], "information_asset_owner": ["wei"]}
    new_node.projects = {
        name: {"code": {"repo": f"../{name}"}, "members": members, "mlflow": True} for name in ("lab", "ward")
    }
    new_node.write(tls={"ca": str(new_node.server.authority.certificate)}).set_up()
    spec = load_node(new_node.folder)
    paths = node_paths(spec, new_node.folder)
    secret = load_or_create_secret(paths.mlflow_key)
    with new_node.open() as database:
        bring_about(database, "lab", secret)  # it was made by `phems db init`: no administrator is needed
        with pytest.raises(UnavailableError, match="phems db init"):
            bring_about(database, "annex", secret)
        way = way_to(database.base, database.settings.tls)
        with (
            DatabaseRelay(short_folder, way),
            closing(
                psycopg2.connect(
                    host=str(short_folder),
                    port=5432,
                    dbname=new_node.database,
                    user=role_of("lab"),
                    password=address_of(database, "lab", secret).password,
                )
            ) as connection,
        ):
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("CREATE TABLE runs AS SELECT current_schema() AS made_in")
            cursor.execute("SELECT made_in FROM runs")
            assert cursor.fetchone() == (schema_of("lab"),)
            for forbidden in (
                f"CREATE TABLE {schema_of('ward')}.runs ()",
                "SELECT * FROM audit.entry",
                "SELECT * FROM governance.schema_version",
                "CREATE TABLE dagster.runs ()",
                "CREATE SCHEMA more",
                "CREATE TABLE public.runs ()",
                "SET ROLE phems_owner",
            ):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(forbidden)
    wrong = way_to(database.base.set(host="127.0.0.1"), database.settings.tls)
    with pytest.raises(ssl.SSLCertVerificationError):  # the certificate is for another name
        wrong().close()
    with pytest.raises(ssl.SSLCertVerificationError):
        way_to(database.base, {"sslmode": "verify-full"})().close()
