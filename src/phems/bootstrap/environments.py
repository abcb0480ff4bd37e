"""The Python environments of a node's projects, with packages from where node.yaml says."""

from __future__ import annotations

import os
from collections.abc import Callable

from phems.adapters.environments.built import BuiltEnvironments
from phems.adapters.environments.wheels import WheelSources
from phems.errors import UnavailableError
from phems.nodespec import NodePaths, NodeSpec

_FROM = "env:"


def environments_of(spec: Callable[[], NodeSpec], paths: NodePaths) -> BuiltEnvironments:
    """The environments of the node with these paths; `spec` gives node.yaml as it is in force."""

    def sources() -> WheelSources:
        found = spec().environments
        folder = paths.resolve(found.wheelhouse) if found.wheelhouse is not None else None
        return WheelSources(folder, _index(found.index))

    return BuiltEnvironments(paths.environments, sources)


def _index(written: str | None) -> str | None:
    if written is None or not written.startswith(_FROM):
        return written
    name = written.removeprefix(_FROM)
    if not os.environ.get(name):
        raise UnavailableError(
            f"The environment variable {name} is not set.",
            why="node.yaml names it as environments.index.",
            remedy=f"Set {name} where the node runs.",
        )
    return os.environ[name]
