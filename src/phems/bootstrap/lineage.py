"""What makes the lineage events of a node, wired to the file and the collector of node.yaml."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

from phems import __version__
from phems.adapters.files.code_words import MountedCodeWords
from phems.adapters.postgres.engine_lineage import PostgresEngineLineage
from phems.adapters.secret_places import private_secret_at
from phems.domain.release_facts import NodeIdentity
from phems.nodespec import NodePaths, NodeSpec
from phems.services.lineage_events import LineageKeeper, LineageSources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phems.bootstrap.node import Node
    from phems.services.ports.clock import Clock
    from phems.services.ports.lineage import LineageTarget

TARGETS = ("file", "collector")
"""The places that node.yaml may name, by their keys there."""


def lineage_keeper_of(node: Node) -> LineageKeeper:
    """The use case; without a place in node.yaml events are kept in the database alone."""
    return LineageKeeper(
        node.governance,
        LineageSources(
            engine=PostgresEngineLineage(node.database.engine("dagster")),
            code=MountedCodeWords(node.code_mount),
            node=NodeIdentity(node.spec.node.name, node.spec.controller.name, __version__),
            engine_version=version("dagster"),
        ),
        _targets(node.declared, node.paths, node.clock),
        node.clock,
    )


def targets_named(spec: NodeSpec) -> tuple[str, ...]:
    """The places that node.yaml names."""
    return tuple(name for name in TARGETS if getattr(spec.lineage, name) is not None)


def _targets(spec: NodeSpec, paths: NodePaths, clock: Clock) -> Mapping[str, LineageTarget]:
    targets: dict[str, LineageTarget] = {}
    if (file := spec.lineage.file) is not None:
        from phems.adapters.lineage_file import LineageFile

        targets["file"] = LineageFile(paths.lineage, size=file.size, keep=file.keep, now=clock.now)
    if (collector := spec.lineage.collector) is not None:
        from phems.adapters.lineage_collector import LineageCollector

        targets["collector"] = LineageCollector(
            collector.url,
            lambda: private_secret_at(
                collector.token, paths.folder, os.environ, key="lineage.collector.token"
            ),
        )
    return targets
