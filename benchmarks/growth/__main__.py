"""`python -m benchmarks.growth`: what work costs as a node grows, in queued runs, projects and events."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.growth import measures
from benchmarks.growth.curves import Curve, page_of, rows_of
from benchmarks.growth.described import CURVES
from benchmarks.growth.plot import draw

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Growth:
    """One curve: how it is measured, and at which sizes."""

    measure: Callable[[Curve, Sequence[int], Callable[[str], None]], None]
    sizes: Sequence[int]
    quick: Sequence[int]


GROWTHS: Mapping[str, Growth] = {
    "drained": Growth(measures.drained, (1, 30, 300), (1, 20)),
    "waiting": Growth(measures.waiting, (1, 100, 1_000, 10_000), (1, 100)),
    "events": Growth(measures.events, (1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000)),
    "projects": Growth(measures.projects, (1, 10, 50), (1, 3)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: a minute or two")
    parser.add_argument("--only", default=",".join(GROWTHS), metavar="CURVE,...", help=", ".join(GROWTHS))
    parser.add_argument(
        "--sizes",
        type=sizes_of,
        action="append",
        default=[],
        metavar="CURVE=N,...",
        help="other sizes of a curve: projects=1,10,25",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the results are written")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    # SIGTERM ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [name for name in GROWTHS if name in options.only.split(",")]
    curves: dict[str, Curve] = {}
    for name in chosen:
        growth = GROWTHS[name]
        sizes = dict(options.sizes).get(name, growth.quick if options.quick else growth.sizes)
        console.print(f"growing      {name}")
        curves[name] = CURVES[name]()
        try:
            growth.measure(curves[name], sizes, console.print)
        except Exception as error:  # noqa: BLE001 (whatever ends a curve belongs in the report)
            curves[name].problem = f"{type(error).__name__}: {error}"
            console.print(f"broken off   {name}: {error}\n{getattr(error, 'details', '')}", markup=False)
        _show(console, curves[name])
    is_whole = len(curves) == len(GROWTHS) and not options.quick
    folder = options.out or (HERE if is_whole else HERE.parent / "partial" / "growth")
    _write(folder, curves, "" if is_whole else " (in part)")
    console.print(f"Written: {folder / 'results.md'}, results.json and growth.svg")
    return 1 if any(curve.problem for curve in curves.values()) else 0


def sizes_of(text: str) -> tuple[str, list[int]]:
    """A curve's name and its sizes, the smallest first."""
    name, _, sizes = text.partition("=")
    if name not in GROWTHS or not sizes:
        raise argparse.ArgumentTypeError(f"no such curve: {text}. There are {', '.join(GROWTHS)}")
    return name, sorted(int(size) for size in sizes.split(","))


def _show(console: Console, curve: Curve) -> None:
    head, *body = rows_of(curve)
    table = Table(*head, title=curve.title)
    for row in body:
        table.add_row(*row)
    console.print(table)


def _write(folder: Path, curves: Mapping[str, Curve], part: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = {"machine": machine.describe(), "versions": machine.versions()}
    document = {"curves": {name: asdict(curve) for name, curve in curves.items()}, **about}
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    draw(list(curves.values()), folder / "growth.svg")
    written = f"Written by `python -m benchmarks.growth`{part} on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    lines = [f"{key}: {value}" for described in about.values() for key, value in described.items()]
    page = page_of(list(curves.values()), written=written, about=lines, plot="growth.svg")
    (folder / "results.md").write_text(page)


if __name__ == "__main__":
    sys.exit(main())
