"""How much of projects lies on the disk, in buckets and in MLflow: port `StorageSizes`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from phems.adapters.s3.mlflow_files import PREFIX as MLFLOW
from phems.domain.backups import BucketObject


class NodeSizes:
    """Below `data_dir`; `run_ids` gives each run's project, `objects` what is in the bucket of artifacts.

    `mlflow_tables` gives the bytes that a project's MLflow has in the database.
    """

    def __init__(
        self,
        data_dir: Path,
        run_ids: Callable[[], Mapping[str, str]],
        objects: Callable[[], Sequence[BucketObject]],
        mlflow_tables: Callable[[str], int],
    ) -> None:
        self._data_dir = data_dir
        self._run_ids = run_ids
        self._objects = objects
        self._mlflow_tables = mlflow_tables

    def of(self, project: str) -> Mapping[str, int]:
        """See the port."""
        return {
            "artifacts": size_below(self._data_dir / "artifacts" / project) + self._in_bucket[project, ""],
            "code": size_below(self._data_dir / "code" / project),
            "compute_logs": self._logs[project],
            "mlflow": size_below(self._data_dir / "mlflow" / project)
            + self._in_bucket[project, MLFLOW]
            + self._mlflow_tables(project),
        }

    @cached_property
    def _logs(self) -> defaultdict[str, int]:
        sizes: defaultdict[str, int] = defaultdict(int)
        for run_id, project in self._run_ids().items():
            sizes[project] += size_below(self._data_dir / "logs" / run_id)
        return sizes

    @cached_property
    def _in_bucket(self) -> defaultdict[tuple[str, str], int]:
        """By project and what is not its steps' own."""
        sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
        for each in self._objects():
            first, _, rest = each.key.partition("/")
            place = (rest.partition("/")[0], first) if first == MLFLOW else (first, "")
            sizes[place] += each.size
        return sizes


def size_below(folder: Path) -> int:
    """The bytes of all files below a folder; links are not followed."""
    size = 0
    for top, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(top) / name).lstat().st_size
    return size
