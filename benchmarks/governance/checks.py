"""What the output checks cost: a large CSV through all of them, in the sandbox, with its peak of memory.

    python -m benchmarks.governance.checks [--megabytes 100] [--json]

The table is declared and has numbers, categories and dates as results have them; its limits of rows and
bytes are lifted, so that every check reads it to its end. Memory is that of all checking processes
together (resident, sampled; what they share counts for each of them).
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks import machine
from phems.adapters.output_check_runner import SandboxedCheckRunner
from phems.contract.disclosure import checked_declaration
from phems.domain.output_checks import CheckedFile, CheckOrder, worst
from phems.nodespec import Policy

SECONDS_ALLOWED = 10.0
_BLOCK_ROWS = 20_000
_SAMPLE_SECONDS = 0.01
_DECLARATION = {"kind": "frequency", "dimensions": ["ward", "sex", "year", "group"], "count": "patients"}


@dataclass(frozen=True)
class Figures:
    """What was measured."""

    megabytes: float
    rows: int
    seconds: float
    megabytes_per_second: float
    peak_rss_mib: float
    verdict: str
    checks: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = measure(asked.megabytes * 1_000_000)
    if asked.json:
        print(json.dumps({**asdict(figures), "machine": machine.describe()}, indent=2))
        return
    print(f"A CSV of {figures.megabytes:.0f} MB and {figures.rows:,} rows through {figures.checks} checks:")
    speed = f"{figures.megabytes_per_second:.0f} MB/s; {SECONDS_ALLOWED:.0f} s allowed for 100 MB"
    print(f"  {figures.seconds:.2f} s ({speed})")
    print(f"  {figures.peak_rss_mib:.0f} MiB at its peak, all checking processes together")


def measure(size: int) -> Figures:
    """The figures for one table of `size` bytes."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "outputs" / "run-1" / "large.csv"
        place.parent.mkdir(parents=True)
        rows = _write_table(place, size)
        order = _order(place)
        runner = SandboxedCheckRunner()
        assert runner.is_isolating, "bubblewrap is missing: apt-get install bubblewrap"
        with _watched() as peak:
            begun = time.perf_counter()
            report = runner.run(order)
            seconds = time.perf_counter() - begun
        return Figures(
            megabytes=place.stat().st_size / 1e6,
            rows=rows,
            seconds=seconds,
            megabytes_per_second=place.stat().st_size / 1e6 / seconds,
            peak_rss_mib=max(peak) / 2**20,
            verdict=worst(report.findings).value,
            checks=len({finding.check for finding in report.findings}),
        )


def _write_table(place: Path, size: int) -> int:
    """A table of at least `size` bytes; the number of its rows."""
    draw = random.Random(7)  # noqa: S311 - made up, the same each time
    block = "".join(_row(draw) for _ in range(_BLOCK_ROWS)).encode()
    rows = 0
    with place.open("wb") as file:
        file.write(b"ward,sex,year,group,patients,mean_age,p_value,effect\n")
        while file.tell() < size:
            file.write(block)
            rows += _BLOCK_ROWS
    return rows


def _row(draw: random.Random) -> str:
    ward = draw.choice(("cardiology", "oncology", "paediatrics", "surgery"))
    sex, year, group = draw.choice(("female", "male")), draw.randint(2010, 2024), draw.randint(1, 400)
    numbers = (draw.randint(10, 5000), draw.uniform(0, 100), draw.random(), draw.gauss(0, 1))
    return (
        f"{ward},{sex},{year},group {group},{numbers[0]},{numbers[1]:.6f},{numbers[2]:.9f},{numbers[3]:.8f}\n"
    )


def _order(place: Path) -> CheckOrder:
    policy = Policy()
    lifted = {"max_rows": 10**10, "seconds": 600}
    file = CheckedFile(
        *("outputs/run-1/large.csv", "large.csv", "rr-aaaaaaaa", "PENDING", 1, "0" * 64),
        size=place.stat().st_size,
        media_type="text/csv",
        run_id="run-1",
        place=place,
        declaration=checked_declaration(_DECLARATION),
    )
    return CheckOrder(
        *("bench", "rr-aaaaaaaa", 1, (file,), ()),
        policy={
            "file_types": list(policy.file_types),
            "max_file_size": 10**12,
            "thresholds": policy.thresholds.model_dump(),
            "checks": {**policy.checks.model_dump(), **lifted},
        },
    )


@contextmanager
def _watched() -> Iterator[list[int]]:
    """The resident memory of all processes below this one, in bytes, again and again."""
    peak, done = [0], threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            total = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak.append(total)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
