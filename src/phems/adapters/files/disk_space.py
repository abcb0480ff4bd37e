"""How much room there is where the node writes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from phems.services.ports.node_health import DiskSpace


class LocalDisks:
    """The disks of some folders, by what lies in them; see `services.ports.node_health.Disks`."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = places

    def space(self) -> Sequence[DiskSpace]:
        """One of each place that is there."""
        found = []
        for place, path in self._places.items():
            with suppress(OSError):
                usage = shutil.disk_usage(path)
                found.append(
                    DiskSpace(place=place, path=str(path), total_bytes=usage.total, free_bytes=usage.free)
                )
        return found
