"""A Node Repo with two small data sources, `wards` and `beds`, and a project `reader` that may read some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.nodes import NodeSite, RunningNode, running_node, temporary_site


@contextmanager
def wards_site(definitions: str, *, wards: str, granted: tuple[str, ...]) -> Iterator[NodeSite]:
    """`definitions` is the reader's code, `wards` what that file holds, `granted` what it may read."""
    with temporary_site() as site:
        site.settings["data_sources"] = {
            "wards": {"path": "wards.csv", "format": "csv"},
            "beds": {"path": "beds.csv", "format": "csv"},
        }
        site.node_folder.mkdir(parents=True)
        (site.node_folder / "wards.csv").write_text(wards)
        (site.node_folder / "beds.csv").write_text("bed\n1\n")
        files = {"src/reader/__init__.py": "", "src/reader/definitions.py": definitions}
        site.add_project("reader", files, data_grants=[{"source": name} for name in granted])
        yield site


@contextmanager
def serving_reader(site: NodeSite) -> Iterator[RunningNode]:
    """A node on it, with the reader's code approved and loaded."""
    with running_node(site) as node:
        node.approve("reader")
        node.ready("reader")
        yield node
