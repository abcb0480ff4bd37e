"""The chart as Helm itself renders it: its SDK in this process, no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from helm_python.chart import Chart

CHART = Path(__file__).parents[2] / "charts" / "phems-node"
RELEASE, NAMESPACE = "st-mary", "phems"
CI_VALUES = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
Manifest = dict[str, Any]


def ci_values(name: str) -> dict[str, Any]:
    """One of the chart's sets of values."""
    values: dict[str, Any] = yaml.safe_load((CHART / "ci" / name).read_text())
    return values


def render(values: dict[str, Any]) -> list[Manifest]:
    """What the chart installs with these values."""
    texts = Chart.load(CHART).render(values, name=RELEASE, namespace=NAMESPACE)
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


def pods_of(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pods that are made, as metadata and spec, by the name of what makes them."""
    pods = {each["metadata"]["name"]: each for each in of_kind(manifests, "Pod")}
    for each in of_kind(manifests, "Deployment", "Job"):
        pods[each["metadata"]["name"]] = each["spec"]["template"]
    return pods


def containers_of(pod: Manifest) -> list[Manifest]:
    """All its containers."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
