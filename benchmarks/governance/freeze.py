"""What it costs to freeze a file, beside `sha256sum` on the same file in the same run.

    python -m benchmarks.governance.freeze [--megabytes 512] [--rounds 5] [--json]

Freezing reads an output from a project's artifact area, hashes it, looks at every byte of its content, copies
it out of reach of project code, and sees the copy to the disk. Publishing hashes and copies it again, into
the release zone. `sha256sum` reads and hashes alone. The rounds alternate, all from a warm cache, and the
median counts; each copy is removed before the next.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import create_autospec

from benchmarks import machine
from phems.adapters.files.artifact_areas import FolderArtifactAreas
from phems.adapters.files.frozen_files import FolderFrozenFiles
from phems.adapters.files.release_zone import FolderReleaseZone
from phems.domain.file_contents import TypeRule
from phems.domain.outputs import Output
from phems.services.ports import Governance
from phems.services.ports.artifacts import PackageFile
from phems.services.release_files import Freezer

TARGET = 0.8
PROJECT, REQUEST = "heart-attack", "rr-abcdefgh"
_LINE = b"cardiology,female,2019,group 17,1234,56.789012,0.123456789,-1.23456789\n"


@dataclass(frozen=True)
class Figures:
    """What was measured; speeds in MB/s, each the median of the rounds."""

    megabytes: float
    rounds: int
    sha256sum: float
    freeze: float
    publish: float

    @property
    def ratio(self) -> float:
        """Freezing against hashing alone; 1 is as fast."""
        return self.freeze / self.sha256sum


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = measure(asked.megabytes * 1_000_000, asked.rounds)
    if asked.json:
        found = {**asdict(figures), "ratio": figures.ratio, "target": TARGET}
        print(json.dumps({**found, "machine": machine.describe()}, indent=2))
        return
    print(f"A CSV of {figures.megabytes:.0f} MB, the median of {figures.rounds} rounds:")
    print(f"  sha256sum           {figures.sha256sum:7.0f} MB/s")
    print(
        f"  freeze (and hash)   {figures.freeze:7.0f} MB/s, {figures.ratio:.2f} x ({TARGET} x is the target)"
    )
    print(f"  publish (and hash)  {figures.publish:7.0f} MB/s, {figures.publish / figures.sha256sum:.2f} x")


def measure(size: int, rounds: int) -> Figures:
    """The figures for one file of `size` bytes."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        output = _write_output(root, size)
        place = root / "artifacts" / PROJECT / output.path
        frozen, zone = FolderFrozenFiles(root / "releases"), FolderReleaseZone(root / "zone")
        areas = FolderArtifactAreas(root / "artifacts")
        freezer = Freezer(create_autospec(Governance), areas, frozen)
        rule = TypeRule("default", ("csv",), size)

        def freeze() -> None:
            freezer.freeze(REQUEST, 1, [output], rule)

        def publish() -> None:
            chunks = frozen.chunks(REQUEST, 1, output.path)
            zone.stage(REQUEST, {}, [PackageFile("files/large.csv", output.sha256, chunks)])

        speeds: dict[str, list[float]] = {"sha256sum": [], "freeze": [], "publish": []}
        for _ in range(rounds):
            frozen.discard(REQUEST, 1)
            zone.discard(REQUEST)
            speeds["sha256sum"].append(output.size / _seconds(lambda: _sha256sum(place)))
            speeds["freeze"].append(output.size / _seconds(freeze))
            speeds["publish"].append(output.size / _seconds(publish))
    medians = {what: statistics.median(found) / 1e6 for what, found in speeds.items()}
    return Figures(megabytes=output.size / 1e6, rounds=rounds, **medians)


def _write_output(root: Path, size: int) -> Output:
    path = "outputs/run-1/large.csv"
    place = root / "artifacts" / PROJECT / path
    place.parent.mkdir(parents=True)
    block, hasher = _LINE * 10_000, hashlib.sha256()
    with place.open("wb") as file:
        while file.tell() + len(block) <= size:
            file.write(block)
            hasher.update(block)
    now = datetime.now(UTC)
    return Output(PROJECT, "run-1", "step", path, hasher.hexdigest(), place.stat().st_size, "text/csv", now)


def _sha256sum(place: Path) -> None:
    subprocess.run(["sha256sum", str(place)], check=True, capture_output=True)


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
