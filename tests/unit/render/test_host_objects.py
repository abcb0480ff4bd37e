"""The pod of a project's host: closed as a step's is, reached by control processes alone, and with room."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from phems.cli.__main__ import main
from phems.contract.host_pod import PORT
from phems.nodespec import NodeSpec
from phems.render.host_objects import HOST_COMMAND, host_secret
from phems.render.project_objects import project_objects
from phems.render.step_job import StepAttempt, step_job

from .pod_rules import broken_by_pod, quantity
from .test_step_job import EVERYTHING, VERSIONS, spec

Object = dict[str, Any]
HOSTS = {**EVERYTHING, "hosts": {"key": "env:PHEMS_HOSTS_KEY", "size": "large"}}


def of_kind(kind: str, found: NodeSpec, project: str = "heart") -> list[Object]:
    return [each for each in project_objects(found, project) if each["kind"] == kind]


def pod_of(found: NodeSpec, project: str = "heart") -> Object:
    (deployment,) = of_kind("Deployment", found, project)
    template: Object = deployment["spec"]["template"]
    return template


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_of_kubernetes_takes_every_object(version: str) -> None:
    for found in [
        *project_objects(spec(**HOSTS), "heart"),
        host_secret(spec(**HOSTS), "heart", {"key": "k"}),
    ]:
        kubernetes_validate.validate(found, version, strict=True)


def test_the_pod_is_as_closed_as_that_of_a_step() -> None:
    pod = pod_of(spec(**HOSTS))["spec"]
    step = step_job(spec(**HOSTS), StepAttempt("heart", "ab", "run", "step", 1), ())
    assert broken_by_pod(pod) == []
    for part in (
        "securityContext",
        "dnsPolicy",
        "dnsConfig",
        "tolerations",
        "nodeSelector",
        "runtimeClassName",
    ):
        assert pod[part] == step["spec"]["template"]["spec"][part]
    (container,) = pod["containers"]
    assert container["command"] == list(HOST_COMMAND)
    writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert writable == {"/tmp"}
    assert {"name": "PRICE", "value": "$$(HOME) $$5"} in container["env"]


def test_a_project_s_own_image_loads_its_definitions() -> None:
    images = {pod_of(spec(**HOSTS), name)["spec"]["containers"][0]["image"] for name in ("heart", "genes")}
    assert len(images) == 2


def test_control_processes_alone_reach_it_and_it_reaches_nobody() -> None:
    (policy,) = [
        each["spec"]
        for each in of_kind("NetworkPolicy", spec(**HOSTS))
        if each["metadata"]["name"] == "phems-control-to-host"
    ]
    labels = pod_of(spec(**HOSTS))["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    (rule,) = policy["ingress"]
    (peer,), (port,) = rule["from"], rule["ports"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "phems"}
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "control"
    assert port == {"protocol": "TCP", "port": PORT}
    (service,) = of_kind("Service", spec(**HOSTS))
    assert service["spec"]["selector"].items() <= labels.items()


def test_no_step_is_taken_for_a_host_nor_a_host_for_a_step() -> None:
    """Otherwise a step is let onto the host's network, or the node deletes a host with its Jobs."""
    step = step_job(spec(**HOSTS), StepAttempt("heart", "ab", "run", "step", 1), ())["metadata"]["labels"]
    host = pod_of(spec(**HOSTS))["metadata"]["labels"]
    assert step["app.kubernetes.io/name"] != host["app.kubernetes.io/name"]


def test_the_quota_has_room_for_it_beside_the_steps() -> None:
    """Otherwise the last step waits for ever, or a host that is replaced does."""
    (without,), (given,) = (of_kind("ResourceQuota", spec(**each)) for each in (EVERYTHING, HOSTS))
    (container,) = pod_of(spec(**HOSTS))["spec"]["containers"]
    hard, before = given["spec"]["hard"], without["spec"]["hard"]
    assert int(hard["pods"]) == int(before["pods"]) + 2
    for kind in ("requests", "limits"):
        for name, asked in container["resources"][kind].items():
            room = quantity(hard[f"{kind}.{name}"]) - quantity(before[f"{kind}.{name}"])
            assert room == 2 * quantity(asked)


def test_a_node_that_loads_definitions_beside_itself_has_no_such_pod() -> None:
    assert of_kind("Deployment", spec(**EVERYTHING)) == of_kind("Service", spec(**EVERYTHING)) == []


def test_the_secret_is_the_one_that_the_pod_waits_for() -> None:
    secret = host_secret(spec(**HOSTS), "heart", {"key": "k", "certificate": "c"})
    (deployment,) = of_kind("Deployment", spec(**HOSTS))
    assert secret["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    (keys,) = [each for each in deployment["spec"]["template"]["spec"]["volumes"] if each["name"] == "keys"]
    assert keys["projected"]["sources"] == [{"secret": {"name": secret["metadata"]["name"]}}]
    assert base64.b64decode(secret["data"]["key"]) == b"k"


def test_keys_are_written_for_nobody_else_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise any account of that machine can be the host of a project."""
    document = spec(**HOSTS).model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for project in document["projects"].values():
        project["members"] = {"information_asset_owner": ["iris"], "output_checker": ["carol", "dmitri"]}
    (tmp_path / "node.yaml").write_text(json.dumps(document))
    monkeypatch.setenv("PHEMS_NODE", str(tmp_path))
    monkeypatch.setenv("PHEMS_HOSTS_KEY", "k" * 32)
    assert main(["render", "host-secrets", "--out", str(tmp_path / "secrets")]) == 0
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "secrets").iterdir()}
    assert modes == {0o600}
