"""What watches a node: whether it is ready, and its numbers, with nothing of people or patients in them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from door_site import start_site
from plain_http import Answer, send
from prometheus_client.parser import text_string_to_metric_families
from second_hop import ADDRESS, second_hop
from small_node import PEOPLE, SmallNode

from phems.domain.metrics import METRICS, PREFIX

TOKEN = "s3cret-of-prometheus"
PARTS = {
    *("postgres", "migrations", "audit_log", "daemons"),
    *("orchestrator", "storage_service", "notifications", "publisher"),
}
# The node of these tests has no anchor; workers of a pool tell their numbers themselves.
FAMILIES = {
    PREFIX + name
    for name, metric in METRICS.items()
    if "control" in metric.by and name != "audit_unanchored_entries"
}


def ask(node: SmallNode, path: str, name: str | None = None, **headers: str) -> Answer:
    signed = {"Authorization": f"Bearer {node.tokens[name]}"} if name else {}
    return send(node.port, "GET", path, {**signed, **headers})


def test_a_node_that_works_is_ready_and_tells_operators_part_by_part(node: SmallNode) -> None:
    """A load balancer sends people to a node that cannot serve them, or nobody to one that can."""
    assert (ask(node, "/readyz").status, ask(node, "/readyz").json()) == (200, {"status": "ok"})
    assert ask(node, "/readyz", "ana").json() == {"status": "ok"}
    assert ask(node, "/readyz", Host="10.0.0.7:3000").status == 200
    told = ask(node, "/readyz", "olga").json()
    assert told["parts"] == {name: {"status": "ok"} for name in PARTS}


def test_a_part_that_fails_is_told_to_operators_alone() -> None:
    class Node:
        def checks(self) -> dict[str, Callable[[], None]]:
            return {"postgres": lambda: None, "audit_log": self.break_down}

        def break_down(self) -> None:
            raise IndexError

        def read(self) -> list[object]:
            return []

    site = start_site(watch=Node())
    try:
        stranger = send(site.port, "GET", "/readyz")
        assert (stranger.status, stranger.json()) == (503, {"status": "failed"})
        assert stranger.headers["Cache-Control"] == "no-store"
        operator = send(site.port, "GET", "/readyz", {"Authorization": "Bearer phems_olga"}).json()
    finally:
        site.server.stop()
    assert operator["parts"]["postgres"] == {"status": "ok"}
    assert operator["parts"]["audit_log"] == {"status": "failed", "why": "IndexError"}


def test_the_numbers_are_as_prometheus_reads_them_and_name_nobody(node: SmallNode) -> None:
    """Whoever reads dashboards is no reader of projects; a label for each person or run fills Prometheus."""
    headers = {"Authorization": f"Bearer {node.tokens['ana']}", "Content-Type": "application/json"}
    query = b'{"query": "query Smith { patientSmith: version, runsOrError { __typename } }"}'
    assert send(node.port, "POST", "/graphql", headers, query).status == 200
    ask(node, "/runs/3f1c-of-smith", "ana")
    answer = ask(node, "/metrics", "olga")
    assert answer.status == 200
    assert "version=" in answer.headers["Content-Type"]
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {name for name in families if not name.endswith("_created")} == FAMILIES
    found = [each for family in families.values() for each in family.samples]
    labels = {value for each in found for value in each.labels.values()}
    assert not labels & set(PEOPLE)
    assert "smith" not in answer.text.lower()
    assert all(each.value == 1 for each in families["phems_ready"].samples)
    assert {"version", "runsOrError"} <= labels
    command = ["promtool", "check", "metrics"]
    checked = subprocess.run(command, input=answer.body, capture_output=True, check=False, timeout=60)
    assert (checked.returncode, checked.stderr + checked.stdout) == (0, b"")


@pytest.mark.parametrize(("name", "status"), [("olga", 200), ("aud", 200), ("ana", 403), ("omar", 403)])
def test_operators_and_auditors_read_the_numbers(node: SmallNode, name: str, status: int) -> None:
    with second_hop(node.port) as hop:
        signed = {"Authorization": f"Bearer {node.tokens[name]}"}
        assert send(hop.port, "GET", "/metrics", signed).status == status


def test_the_numbers_are_never_public(node: SmallNode) -> None:
    """Without a token in node.yaml programs on this machine read them; what comes by a proxy is not one."""
    assert ask(node, "/metrics").status == 200
    assert ask(node, "/metrics", **{"X-Forwarded-For": "192.0.2.4"}).status == 401
    assert ask(node, "/metrics", Host="rebound.example").status == 401
    with second_hop(node.port) as hop:
        assert send(hop.port, "GET", "/metrics").status == 401


def test_prometheus_comes_with_its_token() -> None:
    site = start_site(metrics_token=TOKEN, trusted_proxies=(ADDRESS,))
    try:
        assert send(site.port, "GET", "/metrics").status == 401
        right = {"Authorization": f"Bearer {TOKEN}", "Host": "node.svc:3000"}
        assert send(site.port, "GET", "/metrics", right).status == 200
        for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer phems_ana", "Bearer "):
            assert send(site.port, "GET", "/metrics", {"Authorization": wrong}).status in {401, 403}
        assert send(site.port, "POST", "/metrics", {"Authorization": f"Bearer {TOKEN}"}).status == 401
    finally:
        site.server.stop()
