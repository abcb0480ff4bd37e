"""Argo CD in node.yaml: addresses that it can read, a version that stays, a namespace of its own."""

from __future__ import annotations

import pytest

from phems.nodespec import check_text, parse_node

DIGEST = "sha256:" + "0123456789abcdef" * 4
DELIVERED = f"""\
version: 1
node: {{name: st-mary}}
controller: {{name: St Mary's Hospital}}
profile: kubernetes
database: {{url: "env:PHEMS_DATABASE_URL"}}
broker: {{url: "amqps://rabbitmq.example", management: "https://rabbitmq.example:15671"}}
kubernetes: {{image: registry.example/project@{DIGEST}}}
gitops:
  repo: https://git.example/st-mary.git
  chart_repo: git@git.example:phems/phems.git
  chart_revision: v0.1.0
projects:
  genes:
    code: {{repo: "https://git.example/genes.git"}}
    members: {{output_checker: [omar, oda], information_asset_owner: [iris]}}
"""
REPO, CHARTS = "repo: https://git.example/st-mary.git", "chart_repo: git@git.example:phems/phems.git"
VERSION = "chart_revision: v0.1.0"


def test_what_argo_cd_reads_is_said_once() -> None:
    found = parse_node(DELIVERED).gitops
    assert found is not None
    assert (found.branch, found.namespace) == ("main", "argocd")
    assert found.server == "https://kubernetes.default.svc"


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        (REPO, "repo: ../st-mary", "gitops.repo", "that Argo CD can read"),
        (REPO, "repo: file:///srv/st-mary.git", "gitops.repo", "that Argo CD can read"),
        (REPO, "repo: https://git:hunter2@git.example/a.git", "gitops.repo", "with a password"),
        (REPO, "repo: ext::sh -c evil", "gitops.repo", "that Argo CD can read"),
        (f"  {REPO}\n", "", "gitops.repo", "is missing"),
        (CHARTS, "chart_repo: charts", "gitops.chart_repo", "that Argo CD can read"),
        (VERSION, "chart_revision: main", "gitops.chart_revision", "when a branch moves"),
        (VERSION, "chart_revision: HEAD", "gitops.chart_revision", "neither a commit nor a version"),
        (VERSION, "chart_revision: abc1234", "gitops.chart_revision", "neither a commit nor a version"),
        (VERSION, VERSION + "\n  server: kubernetes", "gitops.server", "the address of a cluster"),
        (VERSION, VERSION + "\n  namespace: Argo CD", "gitops.namespace", "RFC 1123"),
        (VERSION, VERSION + "\n  namespace: phems", "gitops.namespace", "the node's own processes"),
        (VERSION, VERSION + "\n  namespace: phems-genes", "gitops.namespace", "project genes"),
        ("name: st-mary}", f"name: {'s' * 54}}}", "node.name", "has 54 characters"),
    ],
)
def test_a_mistake_about_the_delivery_is_named(old: str, new: str, key: str, words: str) -> None:
    """Otherwise Argo CD tells of it, in words of its own, when the cluster is to be changed."""
    assert old in DELIVERED
    (problem,) = check_text(DELIVERED.replace(old, new, 1))
    assert problem.key == key
    assert words in str(problem)
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        DELIVERED.replace(REPO, "repo: ssh://git@git.example:2222/nodes/st-mary.git"),
        DELIVERED.replace(VERSION, f"chart_revision: {'0a' * 20}"),
        DELIVERED.replace(VERSION, "chart_revision: 1.2.3-rc.1"),
        DELIVERED.replace(VERSION, VERSION + "\n  server: https://10.0.0.1:6443"),
        DELIVERED.replace("name: st-mary}", f"name: {'s' * 53}}}"),
        # A node that nobody delivers may have the longer name.
        DELIVERED.partition("gitops:")[0].replace("name: st-mary}", f"name: {'s' * 63}}}"),
    ],
)
def test_what_argo_cd_can_read_is_taken(text: str) -> None:
    assert check_text(text) == []


def test_a_node_on_one_machine_is_told_that_argo_cd_is_of_no_use() -> None:
    text = DELIVERED.replace("profile: kubernetes", "profile: server")
    (problem,) = check_text(text)
    assert (problem.key, "Argo CD installs nodes of the profile kubernetes" in str(problem)) == (
        "gitops",
        True,
    )
    without = "\n".join(line for line in text.splitlines() if not line.startswith("kubernetes:"))
    assert [each.key for each in check_text(without)] == ["gitops"]
