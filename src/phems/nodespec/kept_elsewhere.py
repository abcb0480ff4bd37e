"""What of a node's folder is not the node's own to back up: data sources, Code Repos, its other areas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phems.nodespec.models import NodeSpec
from phems.nodespec.paths import NodePaths

GIT = ".git"


def kept_elsewhere(spec: NodeSpec, paths: NodePaths, *others: Path) -> frozenset[str]:
    """The paths in the node's folder that a backup of it passes over, relative to it.

    Data sources belong to who answers for them, Code Repos to who writes them, and each is backed up there;
    data_dir and the release zone are backed up as such; an outside anchor is no anchor any more in a backup.
    """
    places = [*_places(spec, paths), *others]
    inside = (place.relative_to(paths.folder) for place in places if place.is_relative_to(paths.folder))
    return frozenset({GIT, *(str(place) for place in inside if place.parts)})


def _places(spec: NodeSpec, paths: NodePaths) -> Iterator[Path]:
    yield paths.data_dir
    yield paths.release_zone
    for source in spec.data_sources.values():
        yield paths.resolve(source.path)
    for project in spec.projects.values():
        repo = paths.code_repo(project.code)
        if isinstance(repo, Path):
            yield repo
    for anchor in spec.audit.anchors.values():
        if anchor.folder is not None:
            yield paths.resolve(anchor.folder.path)
