"""One served node for all tests of the engine, with a project made of job shapes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from tests.integration.engine.self_starting import switch_on
from tests.nodes import NodeSite, RunningNode, running_node, temporary_site

SHAPES = Path(__file__).parent / "shapes"
NARROW = Path(__file__).parent / "narrow"
started_backfill: list[str] = []


@pytest.fixture(scope="package")
def shapes_site() -> Iterator[NodeSite]:
    """A Node Repo with the job shapes, and a project that may do little at once."""
    with temporary_site() as site:
        site.add_project("shapes", SHAPES, code={"repo": "../shapes-code", "module": "shapes.definitions"})
        site.add_project(
            "narrow",
            NARROW,
            code={"repo": "../narrow-code", "module": "narrow.definitions"},
            queue={"concurrency": 1, "runs": 1},
            resources={"memory": "1GiB", "cpu_seconds": 1},
        )
        yield site


@pytest.fixture(scope="package")
def node(shapes_site: NodeSite) -> Iterator[RunningNode]:
    """The served node, its project's code approved and loaded."""
    with running_node(shapes_site) as node:
        for project in ("shapes", "narrow"):
            node.approve(project)
        for project in ("shapes", "narrow"):
            node.ready(project)
        started_backfill.append(switch_on(node))
        yield node


@pytest.fixture
def backfill(node: RunningNode) -> str:
    """The backfill that was started with the node."""
    return started_backfill[0]


@pytest.fixture(scope="package")
def stock_repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReconstructableRepository]:
    """The same definitions for stock Dagster, with an artifact area of their own."""
    source = str(SHAPES / "src")
    sys.path.insert(0, source)
    os.environ["PHEMS_ARTIFACTS"] = str(tmp_path_factory.mktemp("artifacts"))
    yield ReconstructableRepository.for_module("shapes.definitions", "defs", working_directory=source)
    del os.environ["PHEMS_ARTIFACTS"]
    sys.path.remove(source)
