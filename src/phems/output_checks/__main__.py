"""Entry point of the checking process: `python -m phems.output_checks`, an order in, a report out (JSON)."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import tempfile
from pathlib import Path

from phems.domain.output_checks import CheckOrder, CheckReport
from phems.output_checks import discovery, supervisor

_PR_SET_DUMPABLE = 4


def main() -> None:
    """Read the order from stdin, check, write the report to stdout."""
    # A check that a file took over must not reach into this process, which writes the report.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    order = CheckOrder.from_json(json.load(sys.stdin))
    _warm_up()
    checks, broken = discovery.load_checks()
    with tempfile.TemporaryDirectory() as scratch:
        findings = tuple(supervisor.run(order, checks, broken, Path(scratch)))
    json.dump(CheckReport(findings, discovery.tool_versions()).as_json(), sys.stdout)


class _NoPandas:
    """Arrow imports pandas for its first array, where it is installed: a second that nothing here needs."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        """See `importlib.abc.MetaPathFinder`."""
        if name == "pandas":
            raise ModuleNotFoundError("the checks do without pandas", name=name)


def _warm_up() -> None:
    """Load what most checks need once, before the processes are forked that need it."""
    sys.meta_path.insert(0, _NoPandas())
    # The system's allocator gives memory back, and starts no thread that a fork would lose.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.csv
    import pyarrow.parquet

    pa.set_cpu_count(1)
    pa.array([""])


if __name__ == "__main__":
    main()
