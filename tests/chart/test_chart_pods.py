"""The chart's pods and what surrounds them: rules that schemas do not know, walls, how they are drained."""

from __future__ import annotations

import re

import pytest

from phems.nodespec import kubernetes_names
from phems.nodespec.quantities import amount

from .charts import (
    CI_VALUES,
    CODE,
    CODE_CHART,
    NAMESPACE,
    ci_values,
    containers_of,
    of_kind,
    own_of,
    pods_of,
    render,
    selects,
)

LABEL_KEY = re.compile(kubernetes_names.LABEL_KEY, re.ASCII)
LABEL_VALUE = re.compile(kubernetes_names.LABEL_VALUE, re.ASCII)

every_set = pytest.mark.parametrize("name", CI_VALUES)


@every_set
def test_a_cluster_takes_what_its_schemas_do_not_ask_about(name: str) -> None:
    """A request above its limit, a label with a slash too many: schemas let them pass, API servers do not."""
    values = ci_values(name)
    manifests = [*render(values), *render({**values, "code": CODE}, chart=CODE_CHART)]
    for pod in pods_of(manifests).values():
        for container in containers_of(pod):
            requests, limits = (container["resources"][each] for each in ("requests", "limits"))
            assert set(requests) == set(limits) == {"cpu", "memory"}
            assert all(amount(requests[each]) <= amount(limits[each]) for each in requests)
    for job in of_kind(manifests, "Job"):
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        assert job["spec"]["activeDeadlineSeconds"] > 0
    for labelled in [*manifests, *pods_of(manifests).values()]:
        for key, value in labelled["metadata"]["labels"].items():
            assert LABEL_KEY.fullmatch(key), key
            assert LABEL_VALUE.fullmatch(value), value


@every_set
def test_no_pod_of_the_node_is_reached_by_whom_no_rule_names(name: str) -> None:
    """Otherwise the Jobs that hold administrators' logins are open to every pod of the cluster."""
    values = ci_values(name)
    manifests = [*render(values), *render({**values, "code": CODE}, chart=CODE_CHART)]
    own = own_of(manifests, "NetworkPolicy")
    for key, pod in pods_of(manifests).items():
        policies = [each["spec"] for each in own if selects(each["spec"]["podSelector"], pod)]
        if pod["metadata"].get("annotations", {}).get("helm.sh/hook") == "test":
            continue
        assert len(policies) == 1, key
        assert policies[0]["policyTypes"] == ["Ingress", "Egress"]
        assert ("ingress" in policies[0]) == ("-control" in key or "-worker-" in key)


@every_set
def test_what_is_drained_goes_one_after_the_other(name: str) -> None:
    """Otherwise a machine that is emptied, or an upgrade, leaves a pool without a worker."""
    manifests = render(ci_values(name))
    budgets = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests, "PodDisruptionBudget")}
    for deployment in own_of(manifests, "Deployment"):
        is_several = deployment["spec"].get("replicas", 2) > 1
        assert (deployment["metadata"]["name"] in budgets) == is_several
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert {"startupProbe", "readinessProbe"} <= set(container)
    assert all(budget["maxUnavailable"] == 1 for budget in budgets.values())


def test_a_worker_without_projects_is_not_waited_for() -> None:
    """A new node has none yet: its worker has no storage service to be asked for."""
    values = {**ci_values("small-values.yaml"), "projects": []}
    (worker,) = [pod for key, pod in pods_of(render(values)).items() if "-worker-" in key]
    (container,) = worker["spec"]["containers"]
    assert not {"startupProbe", "readinessProbe", "livenessProbe"} & set(container)


def test_control_processes_reach_the_pods_that_load_definitions_and_are_let_in() -> None:
    """Otherwise nobody sees a job or an asset, and each side's rules look right by themselves."""
    values = ci_values("full-values.yaml")
    manifests = render(values)
    [control] = [pod for key, pod in pods_of(manifests).items() if key.endswith("-control")]
    [out] = [
        each["spec"]
        for each in own_of(manifests, "NetworkPolicy")
        if selects(each["spec"]["podSelector"], control)
    ]
    way_out = out["egress"][-1]
    [peer] = way_out["to"]
    hosts = [each for each in of_kind(manifests, "Deployment") if "namespace" in each["metadata"]]
    namespaces = {each["metadata"]["namespace"] for each in hosts}
    assert len(namespaces) == 2
    [expression] = peer["namespaceSelector"]["matchExpressions"]
    assert set(expression["values"]) == namespaces
    for host in hosts:
        template = host["spec"]["template"]
        assert selects(peer["podSelector"], template)
        [way_in] = [
            way
            for each in of_kind(manifests, "NetworkPolicy")
            if each["metadata"].get("namespace") == host["metadata"]["namespace"]
            and selects(each["spec"]["podSelector"], template)
            for way in each["spec"].get("ingress", [])
        ]
        [source] = way_in["from"]
        assert selects(source["podSelector"], control)
        assert source["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": NAMESPACE}
        workers = [pod for key, pod in pods_of(manifests).items() if "-worker-" in key]
        assert not any(selects(source["podSelector"], worker) for worker in workers)
        [listening] = template["spec"]["containers"][0]["ports"]
        [opened], [let_in] = way_out["ports"], way_in["ports"]
        assert opened["port"] == let_in["port"] == listening["containerPort"]
