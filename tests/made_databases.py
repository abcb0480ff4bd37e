"""A node's own Postgres as a first start leaves it: made once for all tests of a process, then copied.

Making one is the longest part of a node's first start, and no test but those of the embedded Postgres itself
is about it.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.folders import copy_whole

from phems.adapters.postgres.database import open_embedded
from phems.serve import ServingNode


def give_database(serving: ServingNode) -> None:
    """Let a node that has not been started yet find its database made; one elsewhere is left alone."""
    if serving.spec.database.address(os.environ) is not None or serving.paths.data_dir.exists():
        return
    made = Path(_made().name)
    serving.paths.data_dir.mkdir(parents=True)
    for name, place in (("postgres", serving.paths.postgres), ("keys", serving.paths.keys)):
        copy_whole(made / name, place)


@cache
def _made() -> TemporaryDirectory[str]:
    kept = TemporaryDirectory(prefix="phems-", ignore_cleanup_errors=True)
    folder = Path(kept.name)
    folder.chmod(0o755)
    open_embedded(
        data=folder / "postgres", keys=folder / "keys", runtime_dir=folder / "run", start=True
    ).close()
    return kept
