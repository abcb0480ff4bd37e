"""A fresh Node Repo: what it holds is what a cluster and Argo CD take."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from phems.cli.init_gitops import Addresses, node_repo_files
from phems.nodespec import parse_node
from phems.render.chart_values import ChartValues, chart_values, values_text
from phems.render.gitops import APPLICATIONS, VALUE_FILES, gitops_files

from .charts import CHART, CODE_CHART, Manifest, of_kind, render_as
from .custom_kinds import faults_of

VERSION = "1.36"
PROJECT = """\
projects:
  genes:
    code: {repo: "https://git.example/genes.git"}
    members: {output_checker: [omar, oda], information_asset_owner: [iris]}
"""


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    addresses = Addresses.given("https://git.example/node.git", "https://git.example/phems.git", None)
    return node_repo_files("st-mary", addresses)


def test_a_cluster_takes_what_it_installs(files: dict[str, str]) -> None:
    """Otherwise the first sync of a new node fails, before anybody has changed a thing."""
    manifests = render_as("st-mary", "st-mary", values_of(files))
    for manifest in manifests:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    assert {each["metadata"].get("namespace", "st-mary") for each in manifests} == {"st-mary"}
    assert of_kind(manifests, "Secret", "Namespace") == []


def test_its_first_project_is_installed_and_its_code_brought_in_step(files: dict[str, str]) -> None:
    text = files["node.yaml"].replace("projects: {}\n", PROJECT)
    spec = parse_node(text)
    values = {**values_of({**files, "chart/values.yaml": values_text(chart_values(spec, text))})}
    installed = render_as("st-mary", "st-mary", values)
    assert [each["metadata"]["name"] for each in of_kind(installed, "Namespace")] == ["st-mary-genes"]
    code = {"project": "genes", "repo": "https://git.example/genes.git", "branch": "main"}
    brought = render_as("st-mary", "st-mary", {**values, "code": code}, chart=CODE_CHART)
    for manifest in [*installed, *brought]:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    (job,) = of_kind(brought, "Job")
    volumes = job["spec"]["template"]["spec"]["volumes"]
    config = [each["configMap"]["name"] for each in volumes if "configMap" in each]
    assert config == [each["metadata"]["name"] for each in of_kind(installed, "ConfigMap")]


def test_argo_cd_takes_what_it_is_given(files: dict[str, str]) -> None:
    """And finds each file that its applications name."""
    assert faults_of(argo_objects(files)) == {}
    assert {place.removeprefix("$node/") for place in VALUE_FILES} <= set(files)
    rendered = {
        f"gitops/{place}": text for place, text in gitops_files(parse_node(files["node.yaml"])).items()
    }
    assert {place: files[place] for place in rendered} == rendered
    assert any(place.startswith(f"{APPLICATIONS}/") for place in rendered)
    assert (CHART.parents[1] / "charts" / CHART.name / "Chart.yaml").exists()


def values_of(files: dict[str, str]) -> dict[str, Any]:
    """As Helm lays the operator's file over the one that is rendered."""
    rendered, chosen = (yaml.safe_load(files[place.removeprefix("$node/")]) for place in VALUE_FILES)
    values = {**rendered, **chosen}
    ChartValues.model_validate(values)
    return values


def argo_objects(files: dict[str, str]) -> list[Manifest]:
    return [
        each
        for place, text in files.items()
        if place.startswith("gitops/")
        for each in yaml.safe_load_all(text)
    ]
