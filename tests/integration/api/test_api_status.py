"""How the node is, told to operators from afar: what runs, what waits, and what to look at."""

from __future__ import annotations

from tests.integration.api.api_site import ApiSite

from phems.domain.actors import Actor
from phems.nodespec import NodeSpec


def test_a_node_that_does_not_run_is_told_first(site: ApiSite) -> None:
    """Otherwise an operator would look for the reason that no run starts in every other place."""
    found = site.get("olga", "/status").json()
    assert found["running"] is None
    assert found["warnings"][0].startswith("The node does not run")


def test_the_database_and_the_disks_are_told(site: ApiSite) -> None:
    """Otherwise a disk that fills is noticed when acts are refused for want of room."""
    found = site.get("olga", "/status").json()
    assert found["database"]["size_bytes"] > 0
    assert 0 < found["database"]["connections"] <= found["database"]["most_connections"]
    assert {disk["place"] for disk in found["disks"]} == {"Data", "Release zone"}
    assert all(0 < disk["free_bytes"] <= disk["total_bytes"] for disk in found["disks"])
    assert found["versions"]["Dagster"]


def test_rules_that_wait_for_a_second_person_are_told(site: ApiSite) -> None:
    """Otherwise node.yaml says one thing, the node does another, and nobody knows."""
    olga = Actor("olga")
    site.node.take_up(olga, site.node.spec)
    declared = site.node.spec.model_dump(mode="json")
    declared["projects"]["heart-attack"]["members"]["output_checker"].append("ben")
    site.node.take_up(olga, NodeSpec.model_validate(declared))
    found = site.get("olga", "/status").json()
    assert [each["scope"] for each in found["policies_waiting"]] == ["heart-attack"]
    assert "not in force until a second person confirms" in found["warnings"][-1]
    assert set(found["policies_in_force"]) == {"", "heart-attack", "breast-cancer"}
