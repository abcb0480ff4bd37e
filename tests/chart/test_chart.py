"""The chart phems-node: what a cluster takes, and no more rights than it needs."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml
from helm_python import HelmError
from helm_python.chart import Chart, lint

from phems.nodespec import parse_node
from phems.render.chart_values import ChartValues, chart_values
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
    pods_of,
    render,
)
from .custom_kinds import faults_of

VERSIONS = [f"1.{minor}" for minor in range(30, 37)]
OTHERS = {"PodMonitor", "ScaledObject"}
"""Kinds that the cluster learns from operators: Kubernetes has no schema of them."""
Change = Callable[[dict[str, Any]], object]
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
    [way_in] = entrance["ingress"]
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
            [port] = worker["spec"]["containers"][0]["ports"]
            [opened], [let_in] = way_out["ports"], way_in["ports"]
            assert (opened["port"], opened["endPort"]) == (let_in["port"], let_in["endPort"])
            assert opened["port"] == port["containerPort"]
        assert selects(source["podSelector"], step["spec"]["template"])
        assert selects(source["namespaceSelector"], namespace)


def test_the_namespaces_of_projects_outlive_the_chart() -> None:
    """Otherwise `helm uninstall` takes a project's code, artifacts and data with it.

    And so does Argo CD, which prunes what Helm would keep (argo-cd issue 17819), when a project is taken out.
    """
    namespaces = of_kind(render(ci_values("full-values.yaml")), "Namespace")
    assert len(namespaces) == 2
    for each in namespaces:
        assert each["metadata"]["annotations"] == {
            "helm.sh/resource-policy": "keep",
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        }
        assert each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_it_is_installed_where_node_yaml_says() -> None:
    """Otherwise the projects' rights and walls are those of pods elsewhere."""
    with pytest.raises(HelmError, match="control_namespace phems: install it there, and not in default"):
        Chart.load(CHART).render(ci_values("small-values.yaml"), name=RELEASE, namespace="default")


@every_set
def test_what_selects_pods_selects_those_that_it_means(name: str) -> None:
    manifests = render(ci_values(name))
    pods = pods_of(manifests)
    for deployment in of_kind(manifests, "Deployment"):
        chosen = [key for key, pod in pods.items() if selects(deployment["spec"]["selector"], pod)]
        assert chosen == [deployment["metadata"]["name"]]
    for kind in ("Service", "PodDisruptionBudget", "PodMonitor"):
        for each in of_kind(manifests, kind):
            selector = each["spec"]["selector"]
            selector = selector if "matchLabels" in selector else {"matchLabels": selector}
            assert [key for key, pod in pods.items() if selects(selector, pod)] == [f"{RELEASE}-control"]


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


def test_the_chart_s_defaults_are_the_model_s() -> None:
    """Otherwise values that `phems render helm` leaves out mean something else in the cluster."""
    values = ci_values("small-values.yaml")
    given = {key: values[key] for key in ("node", "workers", "projects")}
    control = {key: values["control"][key] for key in ("port", "scheme")}
    written = yaml.safe_load((CHART / "values.yaml").read_text())
    whole = {**written, **given, "control": {**written["control"], **control}}
    assert ChartValues.model_validate(whole) == ChartValues.model_validate({**given, "control": control})


@every_set
def test_what_node_yaml_says_is_worked_out_as_it_says(name: str) -> None:
    values = ci_values(name)
    file = values["node"]["file"]
    made = chart_values(parse_node(file), file)
    read = ChartValues.model_validate(values)
    assert (made.node, made.projects) == (read.node, read.projects)
    assert [each.pool for each in made.workers] == [each.pool for each in read.workers]
    assert (made.control.port, made.control.scheme) == (read.control.port, read.control.scheme)


REFUSED: dict[str, Change] = {
    "a word that nobody knows": lambda values: values.update(replicas=3),
    "an image by its tag": lambda values: values["image"].update(control="registry.example/phems:latest"),
    "no control process": lambda values: values["control"].update(replicas=0),
    "a scheme of nobody's": lambda values: values["control"].update(scheme="gopher"),
    "no workers at all": lambda values: values.pop("workers"),
    "a worker of no size": lambda values: values["workers"][0].pop("resources"),
    "a Secret with no name for one": lambda values: values["secrets"].update(environment="Not A Name"),
    "memory that is half a byte": lambda values: values["control"].update(
        resources={
            "requests": {"cpu": "1", "memory": "500m"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        }
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_values_that_mean_nothing_are_refused(what: str) -> None:
    """Otherwise a slip of the pen is found out when no pod starts."""
    values = ci_values("full-values.yaml")
    Chart.load(CHART).validate_schema(values)
    REFUSED[what](values)
    with pytest.raises(HelmError):
        Chart.load(CHART).validate_schema(values)


def test_an_installation_without_an_image_says_what_to_give() -> None:
    values = ci_values("small-values.yaml")
    values["image"]["control"] = ""
    with pytest.raises(HelmError, match=r"image\.control: give the image"):
        render(values)


def namespaces_of(values: dict[str, Any]) -> set[str]:
    spec = parse_node(values["node"]["file"])
    assert spec.kubernetes is not None
    return {spec.kubernetes.namespace_of(project["name"]) for project in values["projects"]}


def selects(selector: dict[str, Any], pod: dict[str, Any]) -> bool:
    labels = pod["metadata"]["labels"]
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
