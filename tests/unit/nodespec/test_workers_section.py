"""Where workers tell their numbers, as node.yaml says it."""

from __future__ import annotations

from typing import Any

import pytest

from phems.nodespec import NodeSpec
from phems.nodespec.worker_rules import worker_metrics_are_meant
from phems.nodespec.workers import metrics_ports

ANYWHERE = "0.0.0.0"  # noqa: S104
SPEC: dict[str, Any] = {
    "version": 1,
    "node": {"name": "n"},
    "controller": {"name": "c"},
    "profile": "server",
    "workers": {"metrics": {"port": 9464}},
    "projects": {name: {"code": {"repo": f"code/{name}"}} for name in ("a", "b")},
}


def spec(**changes: Any) -> NodeSpec:
    return NodeSpec.model_validate({**SPEC, **changes})


def test_there_is_a_port_for_each_project() -> None:
    assert metrics_ports(spec()) == range(9464, 9466)
    assert not metrics_ports(spec(workers={}))


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, []),
        ({"workers": {}, "profile": "embedded"}, []),
        ({"profile": "embedded"}, [("workers", "metrics")]),
        ({"workers": {"metrics": {"host": ANYWHERE}}}, [("workers", "metrics", "host")]),
        ({"workers": {"metrics": {"host": ANYWHERE}}, "gateway": {"metrics": {"token": "env:T"}}}, []),
    ],
)
def test_strangers_are_told_nothing_and_no_section_means_nothing(
    changes: dict[str, Any], keys: list[tuple[str, ...]]
) -> None:
    assert [finding.loc for finding in worker_metrics_are_meant(spec(**changes))] == keys
