"""What Argo CD delivers a node by: objects that it takes, and no more rights than each of its tasks needs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from phems.errors import InputError
from phems.nodespec import NodeSpec, parse_node
from phems.render.chart_values import ChartValues
from phems.render.gitops import APPLICATIONS, CODE_KINDS, NODE_KINDS, application_name, gitops_files

from .charts import CODE, CODE_CHART, Manifest, ci_values, of_kind, render
from .custom_kinds import faults_of

REPO, CHARTS = "https://git.example/st-john.git", "git@git.example:phems/phems.git"
LONG = "a-project-with-a-very-long-name-" + "x" * 31
GITOPS = f"""\
gitops:
  repo: {REPO}
  chart_repo: {CHARTS}
  chart_revision: v0.1.0
"""


@pytest.fixture(scope="module")
def spec() -> NodeSpec:
    return parse_node(node_yaml())


@pytest.fixture(scope="module")
def objects(spec: NodeSpec) -> dict[str, list[Manifest]]:
    return {place: list(yaml.safe_load_all(text)) for place, text in gitops_files(spec).items()}


def node_yaml() -> str:
    """The node that the chart is tried with, delivered by Argo CD."""
    text: str = ci_values("full-values.yaml")["node"]["file"]
    return text + GITOPS


def test_argo_cd_takes_every_object(objects: dict[str, list[Manifest]]) -> None:
    """By schemas made from Argo CD's own types, and with no key that they do not have."""
    everything = [each for found in objects.values() for each in found]
    assert [each["kind"] for each in everything] == [
        *("AppProject", "AppProject", "AppProject", "Application"),
        *("Application", "ApplicationSet"),
    ]
    assert faults_of(everything) == {}


SLIPS: dict[str, Callable[[Manifest], object]] = {
    "a key that nobody reads": lambda each: each["spec"].update(projct="x"),
    "an application of no project": lambda each: each["spec"].pop("project"),
    "a destination that is a word": lambda each: each["spec"].update(destination="cluster"),
    "a retry of some": lambda each: each["spec"]["syncPolicy"]["retry"].update(limit="some"),
    "value files that are one": lambda each: each["spec"]["sources"][0]["helm"].update(valueFiles="a.yaml"),
    "an unknown key far within": lambda each: each["spec"]["syncPolicy"]["automated"].update(purge=True),
}


def test_a_slip_would_be_found(objects: dict[str, list[Manifest]]) -> None:
    """Otherwise the test before this one passes whatever is written."""
    changed = []
    for number, slip in enumerate(SLIPS.values()):
        each = copy.deepcopy(objects["applications/node-pipeline.yaml"][0])
        each["metadata"]["name"] = f"slip-{number}"
        slip(each)
        changed.append(each)
    assert list(faults_of(changed)) == [f"Application slip-{number}" for number in range(len(SLIPS))]


def test_each_task_of_argo_cd_has_the_least_rights(
    spec: NodeSpec, objects: dict[str, list[Manifest]]
) -> None:
    """Otherwise a merge to the Node Repo, or to the charts', reaches other namespaces or other kinds."""
    root, node, code = of_kind(objects["bootstrap.yaml"], "AppProject")
    rights = {each["metadata"]["name"]: reach_of(each) for each in (root, node, code)}
    assert rights == {
        "st-john-root": ([REPO], ["argocd"], []),
        "st-john-node": ([REPO, CHARTS], ["phems", "st-john-genes", "st-john-heart-attack"], NAMESPACES),
        "st-john-code": ([REPO, CHARTS], ["phems"], []),
    }
    for each in (root, node, code):
        assert "*" not in yaml.safe_dump({**each["spec"], "roles": []})
    assert kinds_in(root) == {("argoproj.io", "Application"), ("argoproj.io", "ApplicationSet")}
    # What starts the Code Pipeline after an approval may do that, and look, and nothing else.
    (role,) = code["spec"]["roles"]
    assert {tuple(policy.split(", ")[2:]) for policy in role["policies"]} == {
        ("applications", verb, "st-john-code/*", "allow") for verb in ("get", "sync")
    }
    assert "roles" not in root["spec"]
    assert "roles" not in node["spec"]


NAMESPACES = [
    {"group": "", "kind": "Namespace", "name": name} for name in ("st-john-genes", "st-john-heart-attack")
]


def test_the_rights_are_what_the_charts_make(objects: dict[str, list[Manifest]]) -> None:
    """Otherwise a sync is refused, or an allow-list holds what nothing needs."""
    _, node, code = of_kind(objects["bootstrap.yaml"], "AppProject")
    installed = [each for each in render(ci_values("full-values.yaml")) if not is_helm_test(each)]
    found = {group_and_kind(each) for each in installed}
    assert found == {*NODE_KINDS, ("", "Namespace")}
    assert kinds_in(node) == set(NODE_KINDS)
    brought = render(code_values(), chart=CODE_CHART)
    assert {group_and_kind(each) for each in brought} == set(CODE_KINDS) == kinds_in(code)
    allowed = {each["namespace"] for each in node["spec"]["destinations"]}
    assert {each["metadata"].get("namespace", "phems") for each in installed} <= allowed


def test_applications_have_the_projects_that_let_them(objects: dict[str, list[Manifest]]) -> None:
    """Otherwise Argo CD refuses them, or they run with somebody else's rights."""
    projects = {each["metadata"]["name"]: each for each in of_kind(objects["bootstrap.yaml"], "AppProject")}
    (root,) = of_kind(objects["bootstrap.yaml"], "Application")
    (node,) = objects["applications/node-pipeline.yaml"]
    (code,) = objects["applications/code-pipeline.yaml"]
    for application in (root["spec"], node["spec"], code["spec"]["template"]["spec"]):
        project = projects[application["project"]]["spec"]
        sources = application.get("sources") or [application["source"]]
        assert {source["repoURL"] for source in sources} <= set(project["sourceRepos"])
        assert application["destination"] in project["destinations"]
    assert root["spec"]["source"]["path"] == APPLICATIONS
    # The node is there before its code is brought in step.
    waves = [each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] for each in (node, code)]
    assert waves == sorted(waves)
    assert waves[0] != waves[1]


def test_argo_cd_reads_no_code_of_projects(spec: NodeSpec, objects: dict[str, list[Manifest]]) -> None:
    """Otherwise a researcher writes a manifest into a Code Repo, and Argo CD makes it."""
    code_repos = {project.code.repo for project in spec.projects.values()}
    for found in objects.values():
        for each in found:
            sources = [source for source in every(each, "repoURL") if source in code_repos]
            assert sources == []
            assert not code_repos & set(each["spec"].get("sourceRepos", ()))


def test_each_project_has_a_job_that_brings_its_code_in_step(objects: dict[str, list[Manifest]]) -> None:
    """As Argo CD fills the template in: the parameters of each element, given to the chart."""
    (code,) = objects["applications/code-pipeline.yaml"]
    (generator,) = code["spec"]["generators"]
    elements = generator["list"]["elements"]
    assert [each["project"] for each in elements] == ["genes", "heart-attack"]
    (node,) = objects["applications/node-pipeline.yaml"]
    for element in elements:
        given = filled(code["spec"]["template"], element)
        assert given["metadata"]["name"] == f"st-john-code-{element['project']}"
        helm = given["spec"]["sources"][0]["helm"]
        assert helm["releaseName"] == node["spec"]["sources"][0]["helm"]["releaseName"]
        parameters = {each["name"]: each["value"] for each in helm["parameters"]}
        values = {**ci_values("full-values.yaml"), "code": stripped(parameters)}
        made = render(values, chart=CODE_CHART, name=helm["releaseName"])
        (job,) = of_kind(made, "Job")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["code", "sync", f"--project={element['project']}"]
        # It replaces the Job of the sync before: a Job that is there already is not run again.
        assert job["metadata"]["annotations"] == {
            "helm.sh/hook": "post-install,post-upgrade",
            "helm.sh/hook-delete-policy": "before-hook-creation",
        }


def test_another_branch_or_node_yaml_brings_code_in_step_again() -> None:
    """Argo CD syncs by itself only where an object differs, and a hook alone is none."""

    def tracked(values: dict[str, Any]) -> Manifest:
        (found,) = of_kind(render(values, chart=CODE_CHART), "ConfigMap")
        return found

    values = code_values()
    other_branch = {**values, "code": {**values["code"], "branch": "next"}}
    other_node = copy.deepcopy(values)
    other_node["node"]["file"] += "# another line\n"
    assert tracked(values) == tracked(copy.deepcopy(values))
    assert tracked(values) != tracked(other_branch)
    assert tracked(values) != tracked(other_node)


def test_names_that_are_too_long_stay_apart() -> None:
    """Otherwise two projects have one application, and each sync undoes the other's."""
    names = [application_name(f"st-john-code-{LONG}{end}") for end in ("", "y", "z")]
    assert len(set(names)) == 3
    assert all(len(name) == 63 for name in names)
    assert application_name("st-john-code-genes") == "st-john-code-genes"
    jobs = set()
    for end in ("y", "z"):
        values = code_values()
        values["code"]["project"] = LONG[:-1] + end
        (job,) = of_kind(render(values, chart=CODE_CHART), "Job")
        assert len(job["metadata"]["name"]) <= 63
        jobs.add(job["metadata"]["name"])
    assert len(jobs) == 2


def test_the_code_chart_runs_what_the_node_chart_runs() -> None:
    """The Job stands on the node's own files: same image, same folders, same walls as what prepares it."""
    values = code_values()
    (setup,) = [job for job in of_kind(render(values), "Job") if job["metadata"]["name"].endswith("-setup")]
    (sync,) = of_kind(render(values, chart=CODE_CHART), "Job")
    pods = [job["spec"]["template"]["spec"] for job in (setup, sync)]
    pod_of_setup, pod_of_sync = (but(pod, "containers", "initContainers") for pod in pods)
    assert pod_of_setup == pod_of_sync
    (prepares,), (syncs,) = (pod["containers"] for pod in pods)
    own = ("name", "args", "env", "resources")
    assert but(prepares, *own) == but(syncs, *own)
    assert "PHEMS_BROKER_ADMIN" not in {each["name"] for each in syncs["env"]}


def test_a_node_that_argo_cd_does_not_deliver_is_told_what_to_write() -> None:
    plain = parse_node(ci_values("full-values.yaml")["node"]["file"])
    with pytest.raises(InputError) as told:
        gitops_files(plain)
    assert "gitops: {repo:" in told.value.remedy


def code_values() -> dict[str, Any]:
    values = {**ci_values("full-values.yaml"), "code": dict(CODE)}
    ChartValues.model_validate(values)
    return values


def but(mapping: Manifest, *keys: str) -> Manifest:
    return {key: value for key, value in mapping.items() if key not in keys}


def reach_of(project: Manifest) -> tuple[list[str], list[str], list[Manifest]]:
    spec = project["spec"]
    namespaces = [each["namespace"] for each in spec["destinations"]]
    return spec["sourceRepos"], namespaces, spec["clusterResourceWhitelist"]


def kinds_in(project: Manifest) -> set[tuple[str, str]]:
    return {(each["group"], each["kind"]) for each in project["spec"]["namespaceResourceWhitelist"]}


def group_and_kind(manifest: Manifest) -> tuple[str, str]:
    group, slash, _ = manifest["apiVersion"].partition("/")
    return (group if slash else "", manifest["kind"])


def is_helm_test(manifest: Manifest) -> bool:
    annotations: dict[str, str] = manifest["metadata"].get("annotations", {})
    return annotations.get("helm.sh/hook") == "test"


def every(value: Any, key: str) -> list[Any]:
    if isinstance(value, dict):
        return [
            each for name, inner in value.items() for each in ([inner] if name == key else every(inner, key))
        ]
    return [each for inner in value for each in every(inner, key)] if isinstance(value, list) else []


def filled(value: Any, element: dict[str, str]) -> Any:
    """The template for one element: of Go's templates, it uses the one that names a key."""
    if isinstance(value, dict):
        return {key: filled(inner, element) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, element) for inner in value]
    if isinstance(value, str) and value.startswith("{{ ."):
        return element[value.removeprefix("{{ .").removesuffix(" }}")]
    return value


def stripped(parameters: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("code."): value for name, value in parameters.items()}
