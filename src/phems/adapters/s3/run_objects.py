"""What runs left in the bucket of what steps write: their files and values, below a prefix for each run."""

from __future__ import annotations

from phems.adapters.files.run_folders import PLACES
from phems.adapters.s3.bucket import Bucket
from phems.domain.retention import Area


class RunObjects:
    """Objects named by runs. They lie as in the folders: a step's path, below the project's prefix."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def measure(self, project: str, area: Area, run_id: str) -> tuple[int, int]:
        """How many objects a run has there, versions among them, and their bytes."""
        found = [self._bucket.measure(prefix) for prefix in _prefixes(project, area, run_id)]
        return sum(count for count, _ in found), sum(size for _, size in found)

    def remove(self, project: str, area: Area, run_id: str) -> None:
        """Remove them, in every version."""
        for prefix in _prefixes(project, area, run_id):
            self._bucket.remove(prefix)


def _prefixes(project: str, area: Area, run_id: str) -> list[str]:
    if area is not Area.ARTIFACTS:
        return []
    # The folders are those of the artifact area of the project.
    return ["/".join((project, *parts[2:], run_id, "")) for parts in PLACES[area]]
