"""`python -m benchmarks`: measure the node beside stock Dagster, print the tables, write the results.

A whole run writes `results.md` and `results.json` beside this file. A partial one (`--quick`, `--only`,
`--side`) writes them to `benchmarks/partial`, so that it never takes the place of a whole one. Exit code
1 when the node itself failed at something; a peer that failed is in the tables.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import machine, report
from benchmarks.configurations import CONFIGURATIONS, FULL, MULTIPROCESS, QUICK, WORKS, Configuration, Work
from benchmarks.session import TITLES, Session, measure

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; gives the exit code."""
    options = parse(arguments)
    # SIGTERM ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    chosen = configurations(options)
    session = measure(chosen, options.only, QUICK if options.quick else FULL, console.print)
    about = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "quick": options.quick,
        "machine": machine.describe(),
        "versions": machine.versions(),
    }
    for table in report.tables(session, chosen):
        console.print(table)
    for note in report.notes(session, chosen):
        console.print(f"- {note}", markup=False)
    folder = options.out or (HERE if is_whole(options) else HERE / "partial")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(report.page(session, about, chosen))
    document = report.document(session, about, chosen)
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    console.print(f"Written: {folder / 'results.md'} and results.json, after {session.seconds:.0f} s")
    return 1 if node_failed(session) else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few samples, 10 runs at once: a minute or two")
    parser.add_argument(
        "--only", type=works, default=list(WORKS), metavar="WORK,...", help=f"some of: {', '.join(WORKS)}"
    )
    parser.add_argument("--side", choices=["ours", "stock"], help="one side alone")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the results are written")
    return parser.parse_args(arguments)


def works(text: str) -> list[Work]:
    """The works named in a comma-separated list."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in WORKS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"no such work: {', '.join(unknown)}. There are {', '.join(WORKS)}")
    return [work for work in WORKS if work in names]


def configurations(options: argparse.Namespace) -> list[Configuration]:
    """The configurations that the options choose."""
    chosen = [c for c in CONFIGURATIONS if options.side in {None, c.side}]
    if options.quick:  # 100 processes, each with its own start, take minutes: their time is drawn from fewer
        chosen = [replace(c, fanout_widths=(4, 12)) if c.key == MULTIPROCESS else c for c in chosen]
    return chosen


def is_whole(options: argparse.Namespace) -> bool:
    """Whether everything is measured with all its samples."""
    return not options.quick and options.side is None and list(options.only) == list(WORKS)


def node_failed(session: Session) -> bool:
    """Whether the node itself did not do what was asked of it."""
    return (
        bool(session.gateway_problem)
        or any(rest.problem for rest in session.rest if rest.title == TITLES["ours"])
        or any(m.configuration == CONFIGURATIONS[0].key and m.problem for m in session.measurements)
    )


if __name__ == "__main__":
    sys.exit(main())
