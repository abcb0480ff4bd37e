"""`phems broker init` on a real RabbitMQ: each project gets in to its own vhost, and nowhere else."""

from __future__ import annotations

import json
import stat
from contextlib import nullcontext
from dataclasses import replace

import pytest
from kombu.exceptions import OperationalError
from tests.integration.broker.server_node import PROJECTS, ServerNode

from phems.adapters.celery.app import BrokerAccess, make_app
from phems.adapters.celery.messages import MessageSigner
from phems.adapters.rabbitmq.connection import server_reached, tls_options
from phems.adapters.rabbitmq.logins import BrokerLogin, amqp_url, load_login, login_file
from phems.adapters.rabbitmq.management import ManagementApi, parse_admin_url
from phems.cli.__main__ import main
from phems.errors import InputError, NotFoundError, UnavailableError
from phems.nodespec import Broker

BREAST, HEART = PROJECTS


def broker_of(node: ServerNode) -> Broker:
    """As node.yaml names it."""
    return Broker(url=node.rabbitmq.url, management=node.rabbitmq.management)


def login_of(node: ServerNode, project: str) -> BrokerLogin:
    """The login that was kept."""
    return load_login(node.paths.keys, project)


def test_a_project_reaches_its_own_vhost_and_no_others(node: ServerNode) -> None:
    """Otherwise one project's login reads, or fills, another's queue."""
    reports = node.init()
    assert [report.project for report in reports] == list(PROJECTS)
    heart, breast = login_of(node, HEART), login_of(node, BREAST)
    assert heart.vhost == heart.user == f"phems.{node.name}.{HEART}"
    assert heart.password != breast.password
    assert server_reached(broker_of(node), heart).startswith("RabbitMQ 3.")
    for foreign in (replace(heart, vhost=breast.vhost), replace(heart, vhost="/")):
        with pytest.raises(UnavailableError, match="does not let") as refused:
            server_reached(broker_of(node), foreign)
        assert refused.value.remedy == "phems broker init"
    with pytest.raises(UnavailableError, match="does not let"):
        server_reached(broker_of(node), replace(heart, password="guessed"))


def test_a_second_run_changes_nothing(node: ServerNode) -> None:
    """Otherwise running workers lose their login whenever somebody adds a project."""
    node.init()
    files = [login_file(node.paths.keys, project) for project in PROJECTS]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    entries = len(node.audit_entries("broker.login"))
    assert [report.changes for report in node.init()] == [(), ()]
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before
    assert len(node.audit_entries("broker.login")) == entries
    node.add_project("third")
    changed = {report.project: report.changes for report in node.init()}
    assert changed == {
        BREAST: (),
        HEART: (),
        "third": ("login kept", "vhost made", "user made", "rights given"),
    }


def test_every_change_is_in_the_audit_log_and_no_password_is(node: ServerNode) -> None:
    node.init()
    entries = {entry.subject: entry for entry in node.audit_entries("broker.login")}
    assert set(entries) == set(PROJECTS)
    assert entries[HEART].actor == "local-operator"
    assert entries[HEART].details["changes"] == ["login kept", "vhost made", "user made", "rights given"]
    told = json.dumps([entry.content() for entry in entries.values()])
    assert login_of(node, HEART).password not in told
    assert stat.S_IMODE(login_file(node.paths.keys, HEART).stat().st_mode) == 0o600


def test_what_somebody_has_changed_by_hand_is_put_right(node: ServerNode) -> None:
    """Rights that were given while looking for a fault would stay for ever."""
    node.init()
    heart, breast = login_of(node, HEART), login_of(node, BREAST)
    user = {"password": "by hand", "tags": "administrator"}
    assert node.rabbitmq.api("PUT", f"users/{heart.user}", json=user).is_success
    rights = {"configure": "", "write": ".*", "read": ".*"}
    for vhost in (breast.vhost, "%2F"):
        assert node.rabbitmq.api("PUT", f"permissions/{vhost}/{heart.user}", json=rights).is_success
    with node.admin() as admin:
        admin.delete_vhost(breast.vhost)
    changed = {report.project: set(report.changes) for report in node.init()}
    assert changed[HEART] == {"password set", "rights in / taken"}
    assert changed[BREAST] == {"vhost made", "rights given"}
    with node.admin() as admin:
        found = admin.user(heart)
    assert found is not None
    assert (found.has_password, list(found.tags)) == (True, [])
    assert (list(found.full_rights), list(found.other_rights)) == ([heart.vhost], [])
    assert server_reached(broker_of(node), heart)


def test_a_tag_alone_is_taken_and_the_password_stays(node: ServerNode) -> None:
    node.init()
    heart = login_of(node, HEART)
    user = {"password": heart.password, "tags": "monitoring"}
    assert node.rabbitmq.api("PUT", f"users/{heart.user}", json=user).is_success
    assert [report.changes for report in node.init()] == [(), ("tags taken: monitoring",)]
    assert server_reached(broker_of(node), heart)


def test_a_password_is_rotated_for_one_project(node: ServerNode) -> None:
    """Who leaves with a copy of the keys folder must not keep a way in."""
    node.init()
    old, other = login_of(node, HEART), login_of(node, BREAST)
    node.init(rotate=HEART)
    assert login_of(node, BREAST) == other
    assert login_of(node, HEART).password != old.password
    assert server_reached(broker_of(node), login_of(node, HEART))
    with pytest.raises(UnavailableError, match="does not let"):
        server_reached(broker_of(node), old)
    with pytest.raises(NotFoundError, match="There is no project"):
        node.init(rotate="unheard-of")


def test_a_login_that_is_lost_is_made_anew(node: ServerNode) -> None:
    node.init()
    login_file(node.paths.keys, HEART).unlink()
    (_, changed) = node.init()
    assert changed.changes == ("login kept", "password set")
    assert server_reached(broker_of(node), login_of(node, HEART))


def test_what_cannot_be_done_is_told_and_recorded(node: ServerNode) -> None:
    """Nothing is made at the broker whose password would be lost at once."""
    (node.paths.keys / "broker").write_text("not a folder")
    with pytest.raises(UnavailableError, match="cannot be written"):
        node.init()
    first, second = node.audit_entries("broker.login")
    assert (first.result, second.result) == ("done", "failed")
    assert second.details["done"] == []
    with node.admin() as admin:
        assert not admin.has_vhost(first.details["vhost"])


def test_tls_is_held_to_the_certificates_that_node_yaml_names(node: ServerNode) -> None:
    """Otherwise whoever is on the way can pass for the broker, and is told every password."""
    node.init()
    broker = Broker(url=node.rabbitmq.tls_url, management=node.rabbitmq.management, ca="ca.pem")
    heart = login_of(node, HEART)
    assert server_reached(broker, heart, node.rabbitmq.certificate)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        server_reached(broker, heart)
    with pytest.raises(UnavailableError, match="certificates in"):
        server_reached(broker, heart, node.folder / "node.yaml")


def test_workers_send_and_take_nothing_where_the_broker_is_another_by_its_certificate(
    node: ServerNode,
) -> None:
    """A certificate of the hospital's own authority is not yet the broker's."""
    node.init()
    for place, is_named in (("127.0.0.1", True), ("127.1", False)):  # the same address, by two names
        broker = Broker(url=f"amqps://{place}:{node.rabbitmq.tls_port}", management=node.rabbitmq.management)
        url = amqp_url(broker, login_of(node, HEART))
        app = make_app(
            BrokerAccess(HEART, url, tls_options(url, node.rabbitmq.certificate)), MessageSigner(b"a key")
        )
        with (
            app.connection_for_write() as connection,
            nullcontext() if is_named else pytest.raises(OperationalError, match="certificate verify failed"),
        ):
            connection.ensure_connection(max_retries=1, interval_start=0)


@pytest.mark.parametrize(
    "url",
    ["", "http://127.0.0.1:15672", "http://a@b:1", "ftp://a:b@c", "http://a:b@c:port", "http://a:b@c?d=e"],
)
def test_an_administrators_address_that_is_none_is_told_without_its_password(url: str) -> None:
    with pytest.raises(InputError, match="administrator") as told:
        parse_admin_url(url)
    assert "a:b" not in str(told.value)


def test_an_administrator_who_is_none_is_told_so(node: ServerNode) -> None:
    node.init()
    heart = login_of(node, HEART)
    place = node.rabbitmq.management.removeprefix("http://")
    for user, password in ((heart.user, heart.password), ("nobody", "x")):
        with (
            ManagementApi(parse_admin_url(f"http://{user}:{password}@{place}")) as api,
            pytest.raises(UnavailableError, match="cannot be used") as told,
        ):
            api.version()
        assert "administrator" in told.value.why


def test_the_command_reads_the_login_from_the_environment(
    node: ServerNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--node", str(node.folder), "broker", "init", "--json"]
    assert main(words) == 2
    assert "PHEMS_BROKER_ADMIN" in capsys.readouterr().err
    monkeypatch.setenv("PHEMS_BROKER_ADMIN", node.rabbitmq.admin_url)
    assert main(words) == 0
    assert [row["project"] for row in json.loads(capsys.readouterr().out)] == list(PROJECTS)
    node.write(profile="embedded", broker=None)
    assert main(words) == 2
    assert "has no broker" in capsys.readouterr().err
