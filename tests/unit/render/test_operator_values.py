"""The operator's values: choices that fit, slips that are named, and nothing that node.yaml decides."""

from __future__ import annotations

import pytest

from phems.errors import InputError
from phems.nodespec import parse_node
from phems.render.chart_values import ChartValues, chart_values
from phems.render.operator_values import check_operator_values

NODE = f"""\
version: 1
node: {{name: st-mary}}
controller: {{name: St Mary's Hospital}}
profile: kubernetes
database: {{url: "env:PHEMS_DATABASE_URL"}}
broker: {{url: "amqps://rabbitmq.example", management: "https://rabbitmq.example:15671"}}
kubernetes: {{image: "registry.example/project@sha256:{"0123456789abcdef" * 4}"}}
projects:
  genes:
    code: {{repo: "https://git.example/genes.git"}}
    members: {{output_checker: [omar, oda], information_asset_owner: [iris]}}
"""
WORKERS = """\
workers:
  - pool: default
    replicas: 3
    drainSeconds: 60
    resources: {requests: {cpu: 250m, memory: 256Mi}, limits: {cpu: "2", memory: 2Gi}}
"""


@pytest.fixture(scope="module")
def rendered() -> ChartValues:
    return chart_values(parse_node(NODE), NODE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet\n",
        "control: {replicas: 3}\n",
        "image: {pullSecret: registry}\nsecrets: {environment: st-mary}\n",
        "monitoring: {podMonitor: true}\nsetup: false\n",
        "image: {pullSecret: null}\n",
        WORKERS,
        "networkPolicies: {egress: [{to: [{ipBlock: {cidr: 10.0.0.1/32}}]}]}\n",
    ],
)
def test_what_is_the_operators_to_choose_is_taken(rendered: ChartValues, text: str) -> None:
    check_operator_values(rendered, text, file="operator.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("contrl: {replicas: 3}\n", "contrl: Extra inputs"),
        ("control: {replicas: none}\n", "control.replicas: Input should be a valid integer"),
        ("control: three\n", "control: Input should be"),
        ("secrets: null\n", "secrets: Input should be"),
        ("image: {control: 'registry.example/phems:latest'}\n", "image.control"),
        (WORKERS.replace("cpu: 250m", "cpu: 3"), "requests.cpu is 3, and limits.cpu is 2"),
        (WORKERS.replace("pool: default", "pool: larg"), "has the pools larg, and node.yaml has default"),
        ("workers: []\n", "has the pools none"),
        ("- a\n", "is not a mapping"),
        ("a: [\n", "is not YAML"),
        ("projects: []\n", "projects is not said here"),
        ("node: {namespace: kube-system}\n", "node is not said here"),
        ("control: {port: 80, scheme: HTTP}\n", "control.scheme is not said here"),
        ("code: {project: a, repo: b, branch: c}\n", "code is not said here"),
    ],
)
def test_a_slip_is_told_before_helm_is_asked(rendered: ChartValues, text: str, words: str) -> None:
    """Otherwise Argo CD tells of it after the merge; or nobody, and a project has lost its walls."""
    with pytest.raises(InputError) as told:
        check_operator_values(rendered, text, file="operator.yaml")
    assert words in f"{told.value} {told.value.why}"
    assert "operator.yaml" in str(told.value)


def test_all_slips_are_told_at_once(rendered: ChartValues) -> None:
    with pytest.raises(InputError) as told:
        check_operator_values(rendered, "projects: []\ncontrl: 1\nsetup: perhaps\n", file="operator.yaml")
    assert all(word in str(told.value) for word in ("projects", "contrl", "setup"))
