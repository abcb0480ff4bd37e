"""Purges of a node, wired."""

from __future__ import annotations

from phems.adapters.files.run_folders import RunFolders
from phems.adapters.postgres.run_leftovers import NodeLeftovers
from phems.bootstrap.node import Node
from phems.domain.retention import Area, Rule
from phems.services.purges import Purges


def purges_of(node: Node) -> Purges:
    """The use case, by node.yaml as it is written."""

    def rule_of(project: str) -> Rule:
        kept = node.written.project(project).retention
        return {area: getattr(kept, area.value) for area in Area}

    leftovers = NodeLeftovers(node.database, RunFolders(node.paths.data_dir))
    return Purges(node.governance, leftovers, rule_of, node.clock)
