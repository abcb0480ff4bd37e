"""The chart phems-node: what a cluster takes, and no more rights than it needs."""

from __future__ import annotations

import copy
import re
from typing import Any

import kubernetes_validate
import pytest
from helm_python import HelmError
from helm_python.chart import Chart, lint

from phems.nodespec import parse_node
from phems.render.project_objects import WORKER, WORKER_RIGHTS
from phems.render.step_job import StepAttempt, step_job

from .charts import (
    CHART,
    CI_VALUES,
    CODE,
    CODE_CHART,
    NAMESPACE,
    RELEASE,
    ci_values,
    containers_of,
    of_kind,
    own_of,
    pods_of,
    render,
    selects,
)
from .custom_kinds import faults_of

VERSIONS = [f"1.{minor}" for minor in range(30, 37)]
OTHERS = {"PodMonitor", "PrometheusRule", "ScaledObject"}
"""Kinds that the cluster learns from operators: Kubernetes has no schema of them."""
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
CLUSTER_WIDE = {"Namespace"}

every_set = pytest.mark.parametrize("name", CI_VALUES)


@every_set
def test_helm_finds_nothing_to_say(name: str) -> None:
    for chart in (CHART, CODE_CHART):
        report = lint(chart, {**ci_values(name), "code": CODE}, strict=True)
        # Severity 1 is a hint: the chart has no picture.
        assert [found for found in report["messages"] if found["severity"] > 1] == []
        assert report["errors"] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_takes_every_object(version: str) -> None:
    values = ci_values("full-values.yaml")
    for manifest in [*render(values), *render({**values, "code": CODE}, chart=CODE_CHART)]:
        if manifest["kind"] not in OTHERS:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_the_operators_take_what_is_theirs() -> None:
    """KEDA and the Prometheus Operator, by schemas made from their own types."""
    theirs = of_kind(render(ci_values("full-values.yaml")), *OTHERS)
    assert {each["kind"] for each in theirs} == OTHERS
    assert faults_of(theirs) == {}


@every_set
def test_objects_have_names_that_a_cluster_takes_and_no_two_have_one(name: str) -> None:
    seen = set()
    for manifest in render(ci_values(name)):
        found = manifest["metadata"]
        assert NAME.fullmatch(found["name"]), found["name"]
        key = (manifest["kind"], found.get("namespace", NAMESPACE), found["name"])
        assert key not in seen
        seen.add(key)
        assert ("namespace" not in found) or manifest["kind"] not in CLUSTER_WIDE


@every_set
def test_every_pod_keeps_to_the_restricted_standard(name: str) -> None:
    """Otherwise what breaks out of a control process has the machine."""
    pods = pods_of(render(ci_values(name)))
    assert len(pods) >= 4
    for pod in pods.values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
        assert {kind for volume in spec["volumes"] for kind in set(volume) - {"name"}} <= {
            *("configMap", "emptyDir", "persistentVolumeClaim", "secret")
        }
        for container in containers_of(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}
            assert "@sha256:" in container["image"]
            mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(set(mounts)) == len(mounts)


@pytest.mark.parametrize("opened", ["control", "worker-default"])
def test_pods_may_make_namespaces_where_it_is_asked_for_and_no_others(opened: str) -> None:
    """Otherwise no definitions are loaded, or every pod of the node is less closed than it can be."""
    values = ci_values("small-values.yaml")
    (values["control"] if opened == "control" else values["workers"][0])["namespaces"] = True
    manifests = render(values)
    for manifest in of_kind(manifests, "Deployment"):
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
    open_ones = {key for key, pod in pods_of(manifests).items() if pod["spec"].get("hostUsers") is False}
    assert open_ones == {f"{RELEASE}-{opened}"}
    for key, pod in pods_of(manifests).items():
        (container, *_) = containers_of(pod)
        unmasked = container["securityContext"].get("procMount") == "Unmasked"
        profiles = {each["securityContext"]["seccompProfile"]["type"] for each in (pod["spec"], container)}
        assert (unmasked, profiles) == (key in open_ones, {"Unconfined" if unmasked else "RuntimeDefault"})
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@every_set
def test_only_workers_have_a_token_of_the_cluster_and_only_for_steps(name: str) -> None:
    """Otherwise who breaks into a gateway that all people reach starts pods."""
    values = ci_values(name)
    manifests = render(values)
    with_token = {
        pod["spec"]["serviceAccountName"]
        for pod in pods_of(manifests).values()
        if pod["spec"]["automountServiceAccountToken"]
    }
    assert with_token == {WORKER}
    assert of_kind(manifests, "ClusterRole", "ClusterRoleBinding") == []
    namespaces = namespaces_of(values)
    roles = of_kind(manifests, "Role")
    assert {role["metadata"]["namespace"] for role in roles} == namespaces
    assert all(role["rules"] == [dict(rule) for rule in WORKER_RIGHTS] for role in roles)
    for binding in of_kind(manifests, "RoleBinding"):
        assert binding["metadata"]["namespace"] in namespaces
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": WORKER, "namespace": NAMESPACE}]
    accounts = [each["metadata"] for each in of_kind(manifests, "ServiceAccount")]
    assert WORKER in {each["name"] for each in accounts if each.get("namespace", NAMESPACE) == NAMESPACE}


@every_set
def test_a_step_reaches_the_storage_service_and_is_let_in(name: str) -> None:
    """Otherwise no step ever starts, and each side's rules look right by themselves."""
    values = ci_values(name)
    manifests = render(values)
    spec = parse_node(values["node"]["file"])
    workers = [pod for key, pod in pods_of(manifests).items() if "-worker-" in key]
    assert workers
    policies = of_kind(manifests, "NetworkPolicy")
    [entrance] = [each["spec"] for each in policies if each["metadata"]["name"] == f"{RELEASE}-worker"]
    way_in, *of_prometheus = entrance["ingress"]
    assert of_prometheus == (
        [{"ports": [{"port": 9464, "endPort": 9465}]}] if spec.workers.metrics is not None else []
    )
    for project in values["projects"]:
        step = step_job(spec, StepAttempt(project["name"], "d" * 64, "run", "op", 1), ["python"])
        own = step["metadata"]["namespace"]
        [namespace] = [each for each in of_kind(manifests, "Namespace") if each["metadata"]["name"] == own]
        ways_out = [
            way
            for each in policies
            if each["metadata"].get("namespace") == own
            and selects(each["spec"]["podSelector"], step["spec"]["template"])
            for way in each["spec"].get("egress", [])
        ]
        [way_out] = ways_out
        [peer] = way_out["to"]
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": NAMESPACE}
        [source] = way_in["from"]
        for worker in workers:
            assert selects(peer["podSelector"], worker)
            assert selects(entrance["podSelector"], worker)
            port, *told = worker["spec"]["containers"][0]["ports"]
            assert bool(told) is bool(of_prometheus)
            [opened], [let_in] = way_out["ports"], way_in["ports"]
            assert (opened["port"], opened["endPort"]) == (let_in["port"], let_in["endPort"])
            assert opened["port"] == port["containerPort"]
        assert selects(source["podSelector"], step["spec"]["template"])
        assert selects(source["namespaceSelector"], namespace)


def test_namespaces_and_walls_of_projects_outlive_the_chart_and_their_rights_do_not() -> None:
    """Otherwise `helm uninstall` takes a project's code, artifacts and data with it.

    And so does Argo CD, which prunes what Helm would keep (argo-cd issue 17819), when a project is taken
    out. A step that still runs then would be let onto the network, were its walls taken away before it.
    """
    manifests = render(ci_values("full-values.yaml"))
    namespaces = of_kind(manifests, "Namespace")
    names = {each["metadata"]["name"] for each in namespaces}
    assert len(names) == 2
    for each in manifests:
        if each["metadata"].get("namespace") in names or each["kind"] == "Namespace":
            annotations = each["metadata"].get("annotations", {})
            if each["kind"] in {"Namespace", "NetworkPolicy"}:
                assert annotations == {
                    "helm.sh/resource-policy": "keep",
                    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
                }
            else:
                assert annotations == {}
    for each in namespaces:
        assert each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_it_is_installed_where_node_yaml_says() -> None:
    """Otherwise the projects' rights and walls are those of pods elsewhere."""
    with pytest.raises(HelmError, match="control_namespace phems: install it there, and not in default"):
        Chart.load(CHART).render(ci_values("small-values.yaml"), name=RELEASE, namespace="default")


@every_set
def test_what_selects_pods_selects_those_that_it_means(name: str) -> None:
    manifests = render(ci_values(name))
    pods = pods_of(manifests)
    for deployment in own_of(manifests, "Deployment"):
        chosen = [key for key, pod in pods.items() if selects(deployment["spec"]["selector"], pod)]
        assert chosen == [deployment["metadata"]["name"]]
    for each in own_of(manifests, "Service", "PodDisruptionBudget", "PodMonitor"):
        selector = each["spec"]["selector"]
        selector = selector if "matchLabels" in selector else {"matchLabels": selector}
        own = each["metadata"]["name"] if "-worker-" in each["metadata"]["name"] else f"{RELEASE}-control"
        chosen = [key for key, pod in pods.items() if selects(selector, pod)]
        if each["metadata"]["name"] == f"{RELEASE}-worker":  # the workers of all pools
            assert chosen == [key for key in pods if "-worker-" in key]
        else:
            assert chosen == [own]


@every_set
def test_no_secret_stands_in_what_is_installed(name: str) -> None:
    """Otherwise the database's password lies in Git with the release."""
    manifests = render(ci_values(name))
    assert of_kind(manifests, "Secret") == []
    for pod in pods_of(manifests).values():
        for container in containers_of(pod):
            plain = {each["name"] for each in container["env"] if "value" in each}
            assert plain == {"HOME", "PHEMS_NODE"}
    # The administrators' logins are for who prepares both, and for nobody who stays.
    readers = {
        key
        for key, pod in pods_of(manifests).items()
        if any(each["name"].endswith("_ADMIN") for box in containers_of(pod) for each in box["env"])
    }
    assert readers == {f"{RELEASE}-setup"}


def test_another_node_yaml_starts_other_processes() -> None:
    """Otherwise a policy that was changed in Git is in force when somebody next happens to restart a pod."""
    values = ci_values("small-values.yaml")
    changed = copy.deepcopy(values)
    changed["node"]["file"] += "# another line\n"

    def marks(of: dict[str, Any]) -> list[str]:
        deployments = of_kind(render(of), "Deployment")
        return [
            each["spec"]["template"]["metadata"]["annotations"]["phems/node-yaml"] for each in deployments
        ]

    assert len(marks(values)) == 2
    assert not set(marks(values)) & set(marks(changed))


def namespaces_of(values: dict[str, Any]) -> set[str]:
    spec = parse_node(values["node"]["file"])
    assert spec.kubernetes is not None
    return {spec.kubernetes.namespace_of(project["name"]) for project in values["projects"]}
