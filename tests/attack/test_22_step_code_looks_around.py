"""Case 22: environment dump, DB, broker, cluster API, metadata address, DNS from step code."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest
from attacked_node import CANARY, AttackedNode

ABSTRACT = f"phems-attack-{os.getpid()}"


@pytest.fixture(scope="module")
def listeners() -> Iterator[list[int]]:
    """Two ports on the machine's loopback and an abstract socket, all of which answer outside."""
    with ExitStack() as stack:
        ports = []
        for _ in range(2):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            ports.append(server.getsockname()[1])
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind("\0" + ABSTRACT)
        abstract.listen()
        for port in ports:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        yield ports


def secrets_of(site: AttackedNode) -> list[str]:
    """Every word of every key and password file of the node that is long enough to be a secret.

    Without quotes and commas around it: a password that leaks does not take its JSON along.
    """
    words: list[str] = []
    for path in site.serving.paths.keys.rglob("*"):
        if path.is_file():
            words += re.findall(r"[A-Za-z0-9+/_=-]{12,}", path.read_text(errors="replace"))
    assert set(asdict(site.serving.node.database.credentials).values()) <= set(words)
    return words


def test_the_environment_holds_nothing(site: AttackedNode) -> None:
    """Otherwise one `os.environ` in a traceback would hand out the node."""
    os.environ["PHEMS_ATTACK_SECRET"] = "S3CRET-in-the-node"
    found = site.probe("dump_environment_job")
    text = str(found)
    assert "S3CRET-in-the-node" not in text
    for secret in secrets_of(site):
        assert secret not in text
    assert not [name for name in found["environment"] if name.startswith(("PG", "KUBERNETES", "AWS", "SSH"))]
    assert found["initial environment"].strip("\0") == "" or "PATH" in found["initial environment"]
    assert found["interfaces"] == ["lo"]
    assert found["hostname"] == "phems"
    status = dict(line.split(":", 1) for line in found["status"].splitlines() if ":" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    foreign = [
        target
        for target in found["open files"].values()
        if str(site.folder) in target and "/logs/" not in target
    ]
    assert foreign == []


def test_what_dagster_tells_of_its_instance_leads_nowhere(site: AttackedNode) -> None:
    """Dagster sends this reference to code servers: stock's has the database's address and password in it."""
    text = str(site.instance.get_ref())
    database = site.serving.node.database
    assert "phems.host" in text, "the project side is told how to speak through the wall"
    assert "://" not in text
    for secret in [*secrets_of(site), str(database.base.query["host"]), str(site.folder)]:
        assert secret not in text


def test_nothing_answers(site: AttackedNode, listeners: list[int]) -> None:
    """Otherwise patient data could be sent away, or the node's own services be asked."""
    runtime = site.serving.paths.runtime_dir
    sockets = [str(path) for path in runtime.rglob("*") if path.is_socket()]
    sockets += [str(path) for path in site.data.rglob("*") if path.is_socket()]
    sockets += ["/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/notify"]
    assert any("PGSQL" in path for path in sockets), "Postgres listens on a socket that is looked for"
    found = site.probe(
        "reach_network_job", ports=[*listeners, site.serving.port], abstract=ABSTRACT, sockets=sockets
    )
    assert {name: outcome for name, outcome in found.items() if outcome.startswith("got")} == {}


def test_no_file_of_the_node_or_of_another_project_is_there(site: AttackedNode) -> None:
    """Otherwise keys, other projects' data and the machine's secrets could be read."""
    source = site.folder / "sources" / "patients.csv"
    paths = [
        str(path)
        for path in (
            site.folder,
            site.folder / "node.yaml",
            site.data,
            site.serving.paths.keys,
            site.serving.paths.postgres,
            site.serving.paths.runtime_dir,
            site.data / "artifacts" / "ward",
            site.data / "code" / "ward",
            site.data / "logs",
            site.data / "audit",
            source,
            "/data/patients.csv",
            "/root",
            Path.home(),
            "/home",
            "/etc/passwd",
            "/etc/shadow",
            "/etc/machine-id",
            "/etc/resolv.conf",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "/var/lib",
            "/sys/class",
            "/boot",
            "/mnt",
        )
    ]
    found = site.probe("read_files_job", paths=paths)
    # Where Python itself lies below a home folder, the way to it is there, and nothing beside it.
    way = {part for place in (sys.prefix, sys.base_prefix) for part in Path(place).parts}
    seen = {path: found[path] for path in paths if found[path].startswith("got")}
    assert {path for path, o in seen.items() if set(re.findall(r"'([^']*)'", o)) - way} == set()
    assert set(seen) <= {"/root", "/home", str(Path.home())}
    assert CANARY not in str(found)
    assert found["data"] == ["/data/weather.csv"]
    assert found["block devices"] == "got: []"
    for secret in secrets_of(site):
        assert secret not in str(found)


def test_code_environment_and_data_cannot_be_written(site: AttackedNode) -> None:
    """Otherwise approved code would not stay what was approved."""
    found = site.probe("write_files_job")
    written = {name for name, outcome in found.items() if outcome.startswith("got")}
    assert written == {"artifacts", "tmp"}


def test_the_kernel_lets_nothing_out(site: AttackedNode) -> None:
    """Otherwise the sandbox would be a suggestion."""
    found = site.probe("break_out_job")
    done = {name: outcome for name, outcome in found.items() if str(outcome).startswith("got")}
    assert done == {}
    assert found["inherited keys"] == 0
    commands = " ".join(found["processes"].values())
    assert "postgres" not in commands
    assert str(os.getpid()) not in found["processes"] or "pytest" not in commands
