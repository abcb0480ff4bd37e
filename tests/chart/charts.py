"""The charts as Helm itself renders them: its SDK in this process, no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from helm_python.chart import Chart

CHARTS = Path(__file__).parents[2] / "charts"
CHART, CODE_CHART = CHARTS / "phems-node", CHARTS / "phems-code"
RELEASE, NAMESPACE = "st-mary", "phems"
CI_VALUES = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
CODE = {"project": "genes", "repo": "https://git.example/genes.git", "branch": "main"}
"""What the Code Pipeline gives the chart phems-code beside the node's values."""
Manifest = dict[str, Any]


def ci_values(name: str) -> dict[str, Any]:
    """One of the chart's sets of values."""
    values: dict[str, Any] = yaml.safe_load((CHART / "ci" / name).read_text())
    return values


def render(values: dict[str, Any], *, chart: Path = CHART, name: str = RELEASE) -> list[Manifest]:
    """What a chart installs with these values."""
    return render_as(name, NAMESPACE, values, chart=chart)


def render_as(name: str, namespace: str, values: dict[str, Any], *, chart: Path = CHART) -> list[Manifest]:
    """What a chart installs as a release of this name, in this namespace."""
    texts = Chart.load(chart).render(values, name=name, namespace=namespace)
    return [
        manifest
        for path, text in texts.items()
        if path.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest is not None
    ]


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def own_of(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of some kinds in the node's own namespace: what is in another says so."""
    return [each for each in of_kind(manifests, *kinds) if "namespace" not in each["metadata"]]


def pods_of(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The node's own pods that are made, as metadata and spec, by the name of what makes them."""
    pods = {each["metadata"]["name"]: each for each in own_of(manifests, "Pod")}
    for each in own_of(manifests, "Deployment", "Job"):
        pods[each["metadata"]["name"]] = each["spec"]["template"]
    return pods


def containers_of(pod: Manifest) -> list[Manifest]:
    """All its containers."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def selects(selector: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Whether a selector chooses a pod."""
    labels = pod["metadata"]["labels"]
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
    )
