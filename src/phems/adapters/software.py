"""The versions of what the node is made of, as they are installed here."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

from phems import __version__

_LIBRARIES: Mapping[str, str] = {"Dagster": "dagster", "SQLAlchemy": "sqlalchemy", "Starlette": "starlette"}


def versions() -> Mapping[str, str]:
    """Versions by name, the node's own first."""
    return {
        "PHEMS": __version__,
        **{name: metadata.version(package) for name, package in _LIBRARIES.items()},
        "Python": platform.python_version(),
        "Linux": platform.release(),
    }
