"""The cluster in node.yaml: images that cannot move, amounts that mean what they say, known sizes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.nodespec import Problem, check_text, parse_node
from phems.nodespec.kubernetes import JobSize, ProjectKubernetes
from phems.nodespec.quantities import FACTORS, amount

Problems = Callable[..., list[Problem]]
DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"registry.st-mary.example:5000/phems/project@{DIGEST}"
SECTION = f"""\
kubernetes:
  namespace: phems-{{project}}-steps
  image: {IMAGE}
  image_pull_secret: pull
  claims: {{code: code, artifacts: artifacts, data: data}}
  sizes:
    default: {{}}
    large:
      requests: {{cpu: 2, memory: 16Gi, ephemeral_storage: 5Gi}}
      limits: {{cpu: 4.5, memory: 64Gi, ephemeral_storage: 20Gi}}
      tmp: 10Gi
  node_selector: {{node.st-mary.example/steps: "true", empty: ""}}
  tolerations:
    - {{key: steps, operator: Exists}}
    - {{key: steps, value: only, effect: NoExecute}}
  priority_class: steps
  runtime_class: gvisor
  hosts: {{key: env:PHEMS_HOSTS_KEY, size: large}}
  ttl_seconds: 60
"""
FULL_SIZES = "    kubernetes: {sizes: {heart_attack/model: large}}\n"


@pytest.fixture
def clustered(full: str) -> str:
    text = full.replace("profile: embedded", "profile: kubernetes") + SECTION
    return text.replace("  breast-cancer:\n", FULL_SIZES + "  breast-cancer:\n")


def test_a_cluster_is_described_without_a_word_of_code(clustered: str) -> None:
    spec = parse_node(clustered)
    cluster = spec.kubernetes
    assert cluster is not None
    assert cluster.namespace_of("heart-attack") == "phems-heart-attack-steps"
    assert cluster.sizes["large"].limits.cpu == "4.5"
    assert cluster.sizes["default"] == JobSize()
    assert spec.project("heart-attack").kubernetes.image is None


def test_the_pod_of_a_project_s_host_is_reached_in_its_namespace(clustered: str) -> None:
    cluster = parse_node(clustered).kubernetes
    assert cluster is not None
    assert cluster.hosts is not None
    assert cluster.hosts.address_in("phems-heart") == ("phems-host.phems-heart.svc", 7442)


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        (f"@{DIGEST}", ":1.2", "kubernetes.image", "a tag can be moved"),
        (f"@{DIGEST}", f":1.2@{DIGEST}", "kubernetes.image", "without a tag"),
        (f"@{DIGEST}", "@sha256:0123", "kubernetes.image", "64 hexadecimal digits"),
        (IMAGE, "''", "kubernetes.image", "does not name an image"),
        ("phems-{project}-steps", "phems", "kubernetes.namespace", "{project} stands in it once"),
        ("phems-{project}-steps", "'{project}-{project}'", "kubernetes.namespace", "is not a pattern"),
        ("phems-{project}-steps", "Phems-{project}", "kubernetes.namespace", "is not a pattern"),
        ("phems-{project}-steps", "'{project}-" + "x" * 50 + "'", "projects.breast-cancer", "at most 63"),
        (
            "  image_pull_secret: pull\n",
            "  control_namespace: phems-heart-attack-steps\n",
            "projects.heart-attack",
            "the node's own",
        ),
        ("memory: 16Gi", "memory: 500m", "kubernetes.sizes.large.requests.memory", "thousandths of a byte"),
        ("memory: 16Gi", "memory: 16GiB", "kubernetes.sizes.large.requests.memory", "512Mi"),
        ("memory: 16Gi", "memory: 4", "kubernetes.sizes.large.requests.memory", "at least 1Mi"),
        ("memory: 16Gi", "memory: true", "kubernetes.sizes.large.requests.memory", "is not an amount"),
        ("memory: 16Gi", "memory: [1Gi]", "kubernetes.sizes.large.requests.memory", "is not an amount"),
        ("cpu: 2,", "cpu: 2Gi,", "kubernetes.sizes.large.requests.cpu", "not an amount of CPU"),
        ("cpu: 2,", "cpu: 0,", "kubernetes.sizes.large.requests.cpu", "not an amount of CPU"),
        ("cpu: 2,", "cpu: -1,", "kubernetes.sizes.large.requests.cpu", "not an amount of CPU"),
        ("cpu: 2,", "cpu: 4096,", "kubernetes.sizes.large.requests.cpu", "up to 1024"),
        ("cpu: 2,", "cpu: 4501m,", "kubernetes.sizes.large", "limits.cpu is 4.5"),
        ("memory: 16Gi", "memory: 65Gi", "kubernetes.sizes.large", "requests.memory is 65Gi"),
        ("tmp: 10Gi", "tmp: 21Gi", "kubernetes.sizes.large", "limits.ephemeral_storage is 20Gi"),
        ("    default: {}\n", "", "kubernetes.sizes", "no size called default"),
        ("model: large", "model: huge", "projects.heart-attack.kubernetes.sizes.heart_attack/model", "huge"),
        (
            "{heart_attack/model: large}",
            "{heart attack: large}",
            "projects.heart-attack.kubernetes.sizes.heart attack",
            "is not the name of an asset",
        ),
        (
            "st-mary.example/steps:",
            "st-mary.example/:",
            "kubernetes.node_selector.node.st-mary.example/",
            "key",
        ),
        ("value: only", "value: only one", "kubernetes.tolerations[1].value", "is not the value of a label"),
        ("operator: Exists", "operator: Exists, value: x", "kubernetes.tolerations[0]", "compares no value"),
        ("priority_class: steps", "priority_class: Steps!", "kubernetes.priority_class", "RFC 1123"),
        ("env:PHEMS_HOSTS_KEY", "0123456789abcdef", "kubernetes.hosts.key", "no place for secrets"),
        ("size: large}", "size: huge}", "kubernetes.hosts.size", "there is no size huge"),
        ("size: large}", "address: phems-host}", "kubernetes.hosts.address", "and a port"),
        ("ttl_seconds: 60", "user: 0", "kubernetes.user", "1"),
        ("ttl_seconds: 60", "privileged: true", "kubernetes.privileged", "is not a key"),
    ],
)
def test_a_mistake_about_the_cluster_is_named(
    clustered: str, old: str, new: str, key: str, words: str
) -> None:
    """Otherwise it is found out when the first pod does not start, or is given to no machine at all."""
    assert old in clustered
    problems = check_text(clustered.replace(old, new, 1))
    found = [problem for problem in problems if problem.key == key]
    assert found, problems
    assert words in str(found[0])


def test_a_node_for_a_cluster_that_names_none_is_told_so(problems_of: Problems) -> None:
    problems = problems_of(("profile: embedded", "profile: kubernetes"))
    assert [problem.key for problem in problems] == ["kubernetes"]
    assert "image" in problems[0].remedy


def test_a_node_for_a_cluster_has_a_broker(clustered: str) -> None:
    without = (
        clustered.replace("broker:", "# broker:").replace("  url: amqps", "#").replace("  management:", "#")
    )
    without = without.replace("  ca: tls", "#")
    assert [problem.key for problem in check_text(without)] == ["broker"]


def test_what_a_project_says_of_a_cluster_that_is_not_there_is_of_no_use(problems_of: Problems) -> None:
    (problem,) = problems_of(("  breast-cancer:\n", FULL_SIZES + "  breast-cancer:\n"))
    assert problem.key == "projects.heart-attack.kubernetes"
    assert "is of no use" in str(problem)


@pytest.mark.parametrize("profile", ["embedded", "server"])
def test_warm_pods_are_asked_for_on_a_cluster_alone(clustered: str, profile: str) -> None:
    """Elsewhere the word would do nothing, and people would wait for it to."""
    warm = clustered.replace("kubernetes: {sizes: {heart", "kubernetes: {warm: 2, sizes: {heart")
    assert parse_node(warm).project("heart-attack").kubernetes.warm == 2
    (problem,) = check_text(warm.replace("profile: kubernetes", f"profile: {profile}"))
    assert problem.key == "projects.heart-attack.kubernetes.warm"
    assert f"no pods wait in profile {profile}" in str(problem)
    assert parse_node(clustered).project("heart-attack").kubernetes.warm == 0


@pytest.mark.parametrize("number", ["-1", "51", "two", "true"])
def test_warm_is_a_number_of_pods(clustered: str, number: str) -> None:
    warm = clustered.replace("kubernetes: {sizes: {heart", f"kubernetes: {{warm: {number}, sizes: {{heart")
    assert [each.key for each in check_text(warm)] == ["projects.heart-attack.kubernetes.warm"]


@pytest.mark.parametrize(
    ("step_key", "size"),
    [
        ("heart_attack__model", "large"),
        ("train", "huge"),
        ("train[st-mary]", "huge"),
        ("train_more", "default"),
        ("", "default"),
    ],
)
def test_a_step_runs_in_the_size_that_is_written_for_it(step_key: str, size: str) -> None:
    """And a branch of a fan-out in that of its op: its key is made at run time, and nothing to go by."""
    own = ProjectKubernetes(sizes={"heart_attack/model": "large", "train": "huge"})
    assert own.size_of(step_key) == size


@given(number=st.decimals(0, 1000, places=3, allow_nan=False), suffix=st.sampled_from(sorted(FACTORS)))
def test_an_amount_is_its_number_times_its_unit(number: Decimal, suffix: str) -> None:
    assert amount(f"{number}{suffix}") == number * FACTORS[suffix]
