"""The compose file: by the rules of its format that matter, no secret in it, and a node that it serves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.render.compose import Composition, compose_file, compose_text

VERSION = Composition("1.2.3")
# What the format has for a service (compose-spec), of what is used here.
SERVICE_KEYS = """
build cap_drop command configs depends_on entrypoint environment healthcheck hostname image init networks
ports restart security_opt shm_size stop_grace_period tmpfs ulimits volumes
"""
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
DURATION = re.compile(r"\d+(us|ms|s|m|h)")
SECRETS = {
    name: f"a-secret-{number}"
    for number, name in enumerate(
        ["PHEMS_POSTGRES_PASSWORD", "PHEMS_RABBITMQ_PASSWORD", "PHEMS_S3_ACCESS_KEY", "PHEMS_S3_SECRET_KEY"]
    )
}


def node(**more: Any) -> NodeSpec:
    document = {
        "version": 1,
        "node": {"name": "st-mary"},
        "controller": {"name": "St Mary"},
        "profile": "server",
        "gateway": {
            "host": "node.inside",
            "allow_remote": True,
            "port": 8443,
            "tls": {"certificate": "tls/node.crt", "key": "tls/node.key"},
        },
        "database": {"url": "postgresql://db.inside/phems"},
        "broker": {"url": "amqp://queue.inside:5672", "management": "http://queue.inside:15672"},
        "storage": {
            "s3": {
                "endpoint": "https://s3.inside:8333",
                "bucket": "st-mary-files",
                "release_bucket": "st-mary-releases",
                "ca": "tls/ca.crt",
            }
        },
        "data_sources": {"cohort": {"path": "/srv/data/cohort.csv", "format": "csv"}},
        "projects": {
            "heart": {"code": {"repo": "../heart-code"}, "queue": {"pool": "default"}},
            "genes": {"code": {"repo": "https://git.example/genes.git"}, "queue": {"pool": "large"}},
        },
        **more,
    }
    return NodeSpec.model_validate(document)


def read(text: str) -> Any:
    return YAML(typ="safe").load(text)


@pytest.fixture
def composed() -> Any:
    """The file as a composer reads it."""
    return read(compose_text(node(), VERSION))


def test_every_part_of_a_node_has_a_container(composed: Any) -> None:
    """Otherwise something that a run needs is not there."""
    assert set(composed["services"]) == {
        *("postgres", "rabbitmq", "s3", "s3-init", "db-init", "broker-init"),
        *("control", "worker-default", "worker-large"),
    }
    worker = read(compose_text(node(), Composition("1", concurrency=8, drain_seconds=60)))["services"][
        "worker-large"
    ]
    assert worker["command"] == ["serve", "--role", "worker", "--pool", "large", "--concurrency", "8"]
    assert worker["stop_grace_period"] == "60s"


def test_it_keeps_the_rules_of_its_format(composed: Any) -> None:
    """Otherwise compose refuses it at the first line."""
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", composed["name"])
    for name, service in composed["services"].items():
        assert set(service) <= set(SERVICE_KEYS.split()), name
        assert isinstance(service["image"], str)
        assert all(isinstance(word, str) for word in service.get("command", ()))
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        assert set(service["networks"]) <= set(composed["networks"])
        for needed, how in service.get("depends_on", {}).items():
            assert needed in composed["services"]
            assert how["condition"] in CONDITIONS
            if how["condition"] == "service_healthy":
                assert "healthcheck" in composed["services"][needed]
        for key in ("interval", "timeout", "start_period"):
            assert DURATION.fullmatch(service.get("healthcheck", {}).get(key, "1s"))
        assert DURATION.fullmatch(service.get("stop_grace_period", "1s"))
        for volume in service.get("volumes", ()):
            if isinstance(volume, dict):
                assert set(volume) == {"type", "source", "target", "read_only"}
                assert volume["source"].startswith(("./", "../", "/"))
            elif not volume.startswith("."):
                assert volume.split(":")[0] in composed["volumes"]
        for config in service.get("configs", ()):
            assert config["source"] in composed["configs"]


def test_the_names_in_node_yaml_are_found_in_there(composed: Any) -> None:
    """Otherwise one node.yaml would serve in containers and another everywhere else."""
    aliases = {
        name: composed["services"][name]["networks"]["services"]["aliases"]
        for name in ("postgres", "rabbitmq", "s3")
    }
    assert aliases == {"postgres": ["db.inside"], "rabbitmq": ["queue.inside"], "s3": ["s3.inside"]}
    assert "-s3.port=8333" in composed["services"]["s3"]["command"]
    by_variable = compose_file(node(database={"url": "env:PHEMS_DATABASE_URL"}), VERSION)["services"]
    assert (
        by_variable["control"]["environment"]["PHEMS_DATABASE_URL"]
        == "${PHEMS_DATABASE_URL:-postgresql://postgres/phems}"
    )


def test_what_a_git_server_asks_for_is_brought_along() -> None:
    """Otherwise the node in its container has the address of its code, and not the token for it."""
    remote = {"token": "file:secrets/token", "certificate_authority": "tls/git-ca.crt"}
    code = {
        "repo": "https://git.example/genes.git",
        "remote": remote,
        "webhook_secret": "env:GENES_WEBHOOK",
    }
    control = compose_file(node(projects={"genes": {"code": code}}), VERSION)["services"]["control"]
    bound = {volume["source"] for volume in control["volumes"] if isinstance(volume, dict)}
    assert {"./secrets/token", "./tls/git-ca.crt"} <= bound
    assert not any("git.example" in source for source in bound)
    assert "GENES_WEBHOOK" in control["environment"]


def test_no_secret_stands_in_it_and_each_must_be_set(composed: Any) -> None:
    """Otherwise a password lies in Git, or a default of everybody's is in use."""
    text = json.dumps(composed)
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+):\?", text))
    assert wanted == set(SECRETS)
    for name, secret in SECRETS.items():
        text = re.sub(rf"\$\{{{name}:\?[^}}]*\}}", secret, text)
    identities = json.loads(json.loads(text)["configs"]["s3-identities"]["content"])
    assert identities["identities"][0]["credentials"] == [
        {"accessKey": SECRETS["PHEMS_S3_ACCESS_KEY"], "secretKey": SECRETS["PHEMS_S3_SECRET_KEY"]}
    ]


def test_containers_of_the_node_know_no_administrator_and_see_no_file_of_secrets(composed: Any) -> None:
    """Otherwise whoever breaks into the gateway has the databases of everybody on that server."""
    for name in ("control", "worker-default", "worker-large"):
        service = composed["services"][name]
        assert not {"PHEMS_DB_ADMIN", "PHEMS_BROKER_ADMIN"} & set(service["environment"])
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        bound = {v["source"]: v["target"] for v in service["volumes"] if isinstance(v, dict)}
        assert bound == {
            "./node.yaml": "/node/node.yaml",
            "./tls/node.crt": "/node/tls/node.crt",
            "./tls/node.key": "/node/tls/node.key",
            "./tls/ca.crt": "/node/tls/ca.crt",
            "/srv/data/cohort.csv": "/srv/data/cohort.csv",
            "../heart-code": "/heart-code",
        }
    assert {"PHEMS_DB_ADMIN"} <= set(composed["services"]["db-init"]["environment"])
    assert composed["networks"]["services"]["internal"] is True
    published = [name for name, service in composed["services"].items() if "ports" in service]
    assert published == ["control"]
    assert composed["services"]["control"]["ports"] == ["8443:8443"]


def test_the_sandbox_of_project_code_can_be_made_in_them(composed: Any) -> None:
    """Otherwise no project code runs at all."""
    for name in ("control", "worker-default"):
        options = set(composed["services"][name]["security_opt"])
        assert options >= {"seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"}
        assert "bubblewrap" in composed["services"][name]["build"]["dockerfile_inline"]


def test_a_node_that_keeps_its_files_elsewhere_gets_no_s3_server() -> None:
    """Otherwise a server runs that nobody asks."""
    for storage in ({}, {"s3": {"bucket": "a-bucket-of-a-cloud"}}):
        made = compose_file(node(storage=storage), VERSION)
        assert "s3" not in made["services"]
        assert "s3-init" not in made["services"]["control"]["depends_on"]
        assert "configs" not in made


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"profile": "embedded"}, "is one process"),
        ({"gateway": {"host": "127.0.0.1"}}, "nobody outside of its container"),
        ({"database": {"url": "postgresql://localhost/phems"}}, r"database\.url names no machine"),
        ({"broker": {"url": "amqp://127.0.0.1:5672", "management": "http://h"}}, r"broker\.url names no"),
        (
            {"storage": {"s3": {"endpoint": "http://localhost:8333", "bucket": "files"}}},
            r"storage\.s3\.endpoint names no",
        ),
    ],
)
def test_what_cannot_be_served_in_containers_is_told(more: dict[str, Any], what: str) -> None:
    """Otherwise it is found out one container at a time."""
    with pytest.raises(InputError, match=what):
        compose_file(node(**more), VERSION)


def test_it_is_written_where_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The command, as typed."""
    from phems.cli.__main__ import main

    (tmp_path / "node.yaml").write_text(
        node(projects={}).model_dump_json(exclude_none=True, exclude_defaults=True)
    )
    monkeypatch.setenv("PHEMS_NODE", str(tmp_path))
    assert main(["render", "compose", "--out", str(tmp_path / "out")]) == 0
    assert "control" in read((tmp_path / "out" / "compose.yaml").read_text())["services"]
    capsys.readouterr()
    assert main(["render", "systemd"]) == 0
    assert "[Service]" in capsys.readouterr().out
