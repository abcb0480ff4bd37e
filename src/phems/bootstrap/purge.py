"""Purges of a node, wired."""

from __future__ import annotations

from phems.adapters.files.run_folders import RunFolders
from phems.adapters.postgres.code_in_use import PostgresCodeInUse
from phems.adapters.postgres.run_leftovers import NodeLeftovers, RunPlaces
from phems.bootstrap.environments import environments_of
from phems.bootstrap.node import Node
from phems.domain.retention import Area, Rule
from phems.services.environment_purges import EnvironmentPurges
from phems.services.purges import Purges


def purges_of(node: Node) -> Purges:
    """The use case, by node.yaml as it is written."""

    def rule_of(project: str) -> Rule:
        kept = node.written.project(project).retention
        return {area: getattr(kept, area.value) for area in Area}

    return Purges(node.governance, _leftovers_of(node), rule_of, node.clock)


def environment_purges_of(node: Node) -> EnvironmentPurges:
    """The use case of environments, by node.yaml as it is written."""
    return EnvironmentPurges(
        node.governance,
        environments_of(lambda: node.spec, node.paths),
        PostgresCodeInUse(node.database.engine("dagster")),
        _leftovers_of(node),
        days_of=lambda project: node.written.project(project).retention.environments,
        clock=node.clock,
    )


def _leftovers_of(node: Node) -> NodeLeftovers:
    objects = node.files.run_objects
    places: list[RunPlaces] = [RunFolders(node.paths.data_dir), *([objects] if objects is not None else [])]
    return NodeLeftovers(node.database, *places)
