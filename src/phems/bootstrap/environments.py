"""The Python environments of a node's projects, with packages from where node.yaml says."""

from __future__ import annotations

import os
from collections.abc import Callable

from phems.adapters.environments.built import BuiltEnvironments
from phems.adapters.environments.wheels import WheelSources
from phems.nodespec import NodePaths, NodeSpec
from phems.nodespec.variables import value_of


def environments_of(spec: Callable[[], NodeSpec], paths: NodePaths) -> BuiltEnvironments:
    """The environments of the node with these paths; `spec` gives node.yaml as it is in force."""

    def sources() -> WheelSources:
        found = spec().environments
        folder = paths.resolve(found.wheelhouse) if found.wheelhouse is not None else None
        return WheelSources(folder, value_of(found.index, os.environ, key="environments.index"))

    return BuiltEnvironments(paths.environments, sources)
