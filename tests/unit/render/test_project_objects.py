"""The namespaces of projects on a cluster: closed, large enough for what may run, and one right into them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.render.project_objects import project_files, project_objects
from phems.render.step_job import StepAttempt, step_job

from .pod_rules import quantity
from .test_step_job import EVERYTHING, VERSIONS, spec

Object = dict[str, Any]


def of_kind(kind: str, found: NodeSpec, project: str = "heart") -> list[Object]:
    return [each for each in project_objects(found, project) if each["kind"] == kind]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_of_kubernetes_takes_every_object(version: str) -> None:
    for found in project_objects(spec(**EVERYTHING), "heart"):
        kubernetes_validate.validate(found, version, strict=True)


def test_a_file_for_each_project_holds_its_namespace_first() -> None:
    """kubectl makes them in their order."""
    files = project_files(spec(**EVERYTHING))
    assert list(files) == ["heart.yaml", "genes.yaml"]
    found = list(YAML(typ="safe").load_all(files["genes.yaml"]))
    assert found == project_objects(spec(**EVERYTHING), "genes")
    assert (found[0]["kind"], found[0]["metadata"]["name"]) == ("Namespace", "phems-genes")
    assert {each["metadata"]["namespace"] for each in found[1:]} == {"phems-genes"}


def test_a_namespace_takes_restricted_pods_alone_and_hands_out_no_token() -> None:
    (namespace,), (account,) = of_kind("Namespace", spec()), of_kind("ServiceAccount", spec())
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert (account["metadata"]["name"], account["automountServiceAccountToken"]) == ("default", False)


def test_nothing_goes_in_or_out_but_from_steps_to_the_workers_storage_service() -> None:
    nothing, to_storage = of_kind("NetworkPolicy", spec(control_namespace="node-a"))
    assert nothing["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = step_job(spec(), StepAttempt("heart", "ab", "run", "step", 1), ())["spec"]["template"][
        "metadata"
    ]
    assert to_storage["spec"]["podSelector"]["matchLabels"].items() <= labels["labels"].items()
    (egress,) = to_storage["spec"]["egress"]
    (to,), (port,) = egress["to"], egress["ports"]
    assert to["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "node-a"}
    assert to["podSelector"]["matchLabels"]
    assert port["protocol"] == "TCP"


def test_a_quota_has_room_for_all_that_the_node_may_run_and_no_step_is_larger_than_a_limit() -> None:
    """Otherwise steps wait for a quota that nobody thinks of, or a hole in it is the cluster's to fill."""
    sized = spec(**EVERYTHING)
    (quota,), (limits,) = of_kind("ResourceQuota", sized), of_kind("LimitRange", sized)
    hard, (limit,) = quota["spec"]["hard"], limits["spec"]["limits"]
    job = step_job(sized, StepAttempt("heart", "ab", "run", "heart__model", 1), ())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    at_once = sized.project("heart").queue.concurrency
    assert int(hard["pods"]) > at_once
    for kind in ("requests", "limits"):
        for name, asked in container["resources"][kind].items():
            assert quantity(hard[f"{kind}.{name}"]) >= quantity(asked) * at_once
            assert quantity(limit["max"][name]) >= quantity(asked)
            assert quantity(limit["defaultRequest"][name]) <= quantity(limit["default"][name])
    assert hard["services.nodeports"] == "0"


def test_a_quota_has_room_for_pods_that_wait_beside_those_of_steps() -> None:
    """Otherwise warm pods take the room of the steps that they are there for."""
    document = spec().model_dump(mode="json")
    document["projects"]["heart"]["kubernetes"]["warm"] = 3
    (plain,), (warm,) = of_kind("ResourceQuota", spec()), of_kind("ResourceQuota", NodeSpec(**document))
    assert int(warm["spec"]["hard"]["pods"]) == int(plain["spec"]["hard"]["pods"]) + 2 * 3
    ratio = int(warm["spec"]["hard"]["pods"]) / int(plain["spec"]["hard"]["pods"])
    for name in ("requests.memory", "limits.memory"):
        assert quantity(warm["spec"]["hard"][name]) == quantity(plain["spec"]["hard"][name]) * Decimal(ratio)


def test_an_amount_that_is_no_whole_number_is_written_in_thousandths() -> None:
    sizes = {"default": {"requests": {"cpu": "125m"}, "limits": {"cpu": "1.5"}}}
    (limits,) = of_kind("LimitRange", spec(sizes=sizes))
    assert limits["spec"]["limits"][0]["max"]["cpu"] == "1500m"


def test_a_worker_has_its_rights_in_the_projects_namespaces_and_may_not_run_anything_in_a_pod() -> None:
    (role,), (binding,) = of_kind("Role", spec()), of_kind("RoleBinding", spec())
    rights = {resource: set(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]}
    assert set(rights) == {"jobs", "pods", "secrets"}
    assert "create" not in rights["pods"]
    assert not {"list", "watch"} & rights["secrets"], "it could read what it did not make"
    assert not any({"*", "update", "patch", "escalate", "impersonate"} & verbs for verbs in rights.values())
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [(each["kind"], each["namespace"]) for each in binding["subjects"]] == [
        ("ServiceAccount", "phems")
    ]


def test_a_node_without_projects_has_no_manifests() -> None:
    """A folder without a file would be taken for a node that needs nothing of its cluster."""
    with pytest.raises(InputError, match="has no projects"):
        project_files(spec().model_copy(update={"projects": {}}))


def test_a_node_without_a_cluster_has_no_manifests() -> None:
    with pytest.raises(InputError, match="describes no cluster"):
        project_files(spec().model_copy(update={"kubernetes": None}))
