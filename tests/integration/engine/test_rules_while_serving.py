"""Other rules come into force while the node serves: it goes by them, without a new start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.nodes import NodeSite, RunningNode, succeeded
from tests.wards_site import serving_reader, wards_site

from phems.bootstrap import open_node
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.permissions import Role
from phems.gateway.settings import settings_of
from phems.nodespec import load_node

READER = """
from dagster import Definitions, job, op
from phems.project import DataSource

@op
def read(wards: DataSource):
    assert "cardiology" in wards.path().read_text()

@job
def reading():
    read()

defs = Definitions(jobs=[reading], resources={"wards": DataSource(source="wards")})
"""


@pytest.fixture(scope="module")
def site() -> Iterator[NodeSite]:
    with wards_site(READER, wards="ward,beds\ncardiology,40\n", granted=("beds",)) as found:
        yield found


@pytest.fixture(scope="module")
def node(site: NodeSite) -> Iterator[RunningNode]:
    with serving_reader(site) as found:
        yield found


def status(node: RunningNode) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((node.serving.paths.data_dir / "status.json").read_text())
    return found


def test_a_confirmed_grant_reaches_the_running_host(node: RunningNode, site: NodeSite) -> None:
    """Otherwise a grant that two people confirmed is of no use until the node is started again."""
    assert not succeeded(node.run("reading", project="reader"))
    site.projects["reader"]["data_grants"] = [{"source": "beds"}, {"source": "wards"}]
    site.projects["reader"]["members"] = {
        **site.projects["reader"]["members"],
        "data_analyst": ["ana", "ben"],
    }
    site.write()
    with open_node(site.node_folder) as beside:
        (waiting,) = beside.take_up(LOCAL_OPERATOR, load_node(site.node_folder))
    assert waiting.scope == "reader"
    node.wait_for(lambda: status(node)["warnings"], "the warning in the status")
    assert f"phems policy approve --project reader {waiting.number}" in status(node)["warnings"][0]
    membership = settings_of(node.serving.spec, lambda: node.serving.node.spec).membership
    assert not membership.roles("ben", "reader")

    with open_node(site.node_folder) as beside:
        beside.policies.approve(Actor("wei"), "reader", waiting.number)
    node.wait_for(lambda: not status(node)["warnings"], "the warning is gone")
    assert membership.roles("ben", "reader") == {Role.DATA_ANALYST}
    node.ready("reader")
    assert succeeded(node.run("reading", project="reader", by="ben"))
