"""`python -m benchmarks.server`: the server profile beside its peers, each with the machine to itself."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from tests.rabbitmq import RabbitMq, running_rabbitmq

from benchmarks import machine
from benchmarks.server.celery_floor import CeleryFloor
from benchmarks.server.dagster_sides import start_dagster_celery, start_server_node
from benchmarks.server.prefect_peer import PrefectPeer
from benchmarks.server.works import WORKS, Peer

HERE = Path(__file__).parent
OURS, STOCK, FLOOR = "node", "dagster-celery", "celery"
PEERS: Mapping[str, Callable[[RabbitMq], Peer]] = {
    OURS: start_server_node,
    STOCK: start_dagster_celery,
    FLOOR: CeleryFloor,
    "prefect": PrefectPeer,
}
RUNS = 100
Figures = dict[str, dict[str, list[float]]]
"""Seconds by peer and work; runs a minute for `runs`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one sample of each, 20 runs at once")
    parser.add_argument("--only", default=",".join(WORKS), metavar="WORK,...", help=", ".join(WORKS))
    parser.add_argument("--peers", default=",".join(PEERS), metavar="PEER,...", help=", ".join(PEERS))
    parser.add_argument("--out", type=Path, default=HERE, metavar="FOLDER")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    # SIGTERM ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    works = [name for name in WORKS if name in options.only.split(",")]
    figures: Figures = {}
    titles: dict[str, str] = {}
    with running_rabbitmq() as rabbitmq:
        for name in (name for name in PEERS if name in options.peers.split(",")):
            console.print(f"starting     {name}")
            peer = PEERS[name](rabbitmq)
            titles[name] = peer.title
            try:
                figures[name] = _measure(peer, works, quick=options.quick, tell=console.print)
            finally:
                peer.close()
    console.print(_table(figures, titles, works))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.md").write_text(page_of(figures, titles, works, quick=options.quick))
    document = {"figures": figures, "machine": machine.describe(), "versions": machine.versions()}
    (options.out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _measure(
    peer: Peer, works: Sequence[str], *, quick: bool, tell: Callable[[str], None]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    peer.do("one_op")
    for work in works:
        try:
            found[work] = _samples(peer, work, quick=quick)
        except NotImplementedError:
            continue
        unit = "runs/min" if work == "runs" else "s"
        tell(f"{work:<12} {peer.title}: {median(found[work]):.3g} {unit}")
    return found


def _samples(peer: Peer, work: str, *, quick: bool) -> list[float]:
    if work == "runs":
        count = 20 if quick else RUNS
        began = time.monotonic()
        peer.do_many(count)
        return [count / (time.monotonic() - began) * 60]
    rounds = 1 if quick or work == "artifact" else 5 if work == "one_op" else 3
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        peer.do(work)
        times.append(time.monotonic() - began)
    return times


def ratio_of(figures: Figures, work: str, other: str) -> float | None:
    """How many times better the node is than another."""
    ours, theirs = figures.get(OURS, {}).get(work), figures.get(other, {}).get(work)
    if not ours or not theirs:
        return None
    better, worse = (ours, theirs) if work == "runs" else (theirs, ours)
    return median(better) / median(worse)


def _rows(figures: Figures, works: Sequence[str]) -> list[list[str]]:
    rows = []
    for work in works:
        target, ratio = WORKS[work].target, ratio_of(figures, work, STOCK)
        cells = [f"{median(found[work]):.3g}" if work in found else "-" for found in figures.values()]
        verdict = "" if target is None or ratio is None else ("met" if ratio >= target else "missed")
        unit = " (runs/min)" if work == "runs" else " (s)"
        rows.append(
            [
                WORKS[work].title + unit,
                *cells,
                "-" if ratio is None else f"{ratio:.1f}x",
                "-" if target is None else f">= {target:.0f}x",
                verdict,
            ]
        )
    return rows


def _head(figures: Figures, titles: Mapping[str, str]) -> list[str]:
    return ["work", *(titles[name] for name in figures), "node against dagster-celery", "target", ""]


def _table(figures: Figures, titles: Mapping[str, str], works: Sequence[str]) -> Table:
    table = Table(*_head(figures, titles), title="The server profile beside its peers; medians")
    for row in _rows(figures, works):
        table.add_row(*row)
    return table


def page_of(figures: Figures, titles: Mapping[str, str], works: Sequence[str], *, quick: bool) -> str:
    """The page of results."""
    head = _head(figures, titles)
    written = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    lines = [
        "# The server profile beside its peers",
        "",
        f"Written by `python -m benchmarks.server{' --quick' if quick else ''}` on {written}.",
        "",
        "Medians. Four steps at once on each side, one RabbitMQ for all, each with the machine to itself.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(row) + " |" for row in _rows(figures, works)),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
