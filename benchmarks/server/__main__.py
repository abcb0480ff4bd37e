"""`python -m benchmarks.server`: the server profile beside its peers, each with the machine to itself.

Peers with an environment of their own are installed on their first turn. One that cannot be had, or fails,
is in the report with its reason, and the rest goes on; exit code 1 when it is the node that failed.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg2
from rich.console import Console
from rich.table import Table
from tests.rabbitmq import RabbitMq, running_rabbitmq

from benchmarks import machine
from benchmarks.graphql import GraphQLError
from benchmarks.server.airflow_peer import AirflowPeer
from benchmarks.server.celery_floor import CeleryFloor
from benchmarks.server.comparison import FLOOR, OURS, STOCK, Comparison, Measured, head_of, page_of, rows_of
from benchmarks.server.dagster_sides import start_dagster_celery, start_multiprocess, start_server_node
from benchmarks.server.installed import NotMeasuredError
from benchmarks.server.luigi_peer import LuigiPeer
from benchmarks.server.measuring import measure
from benchmarks.server.plot import draw
from benchmarks.server.prefect_peer import PrefectPeer
from benchmarks.server.works import WORKS, Peer
from benchmarks.side import SideError
from phems.errors import PhemsError

HERE = Path(__file__).parent
PEERS: Mapping[str, Callable[[RabbitMq], Peer]] = {
    OURS: start_server_node,
    STOCK: start_dagster_celery,
    "multiprocess": start_multiprocess,
    "prefect": PrefectPeer,
    "airflow": AirflowPeer,
    "luigi": LuigiPeer,
    FLOOR: CeleryFloor,
}
FAILURES = (
    GraphQLError,
    NotMeasuredError,
    OSError,
    PhemsError,
    SideError,
    httpx.HTTPError,
    psycopg2.Error,
    subprocess.SubprocessError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one sample of each, 20 runs at once")
    parser.add_argument("--only", default=",".join(WORKS), metavar="WORK,...", help=", ".join(WORKS))
    parser.add_argument("--peers", default=",".join(PEERS), metavar="PEER,...", help=", ".join(PEERS))
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the results are written")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    # SIGTERM ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    works = [name for name in WORKS if name in options.only.split(",")]
    peers = [name for name in PEERS if name in options.peers.split(",")]
    is_whole = not options.quick and len(works) == len(WORKS) and len(peers) == len(PEERS)
    comparison: dict[str, Measured] = {}
    with running_rabbitmq() as rabbitmq:
        for name in peers:
            console.print(f"starting     {name}")
            comparison[name] = Measured(name)
            _turn(name, comparison[name], rabbitmq, works, quick=options.quick, tell=console.print)
    _show(console, comparison, works)
    # A partial one never takes the place of a whole one.
    folder = options.out or (HERE if is_whole else HERE.parent / "partial" / "server")
    _write(folder, comparison, works, "" if is_whole else " (in part)")
    console.print(f"Written: {folder / 'results.md'}, results.json and results.svg")
    return 1 if OURS in comparison and comparison[OURS].problem else 0


def _turn(
    name: str,
    measured: Measured,
    rabbitmq: RabbitMq,
    works: Sequence[str],
    *,
    quick: bool,
    tell: Callable[[str], None],
) -> None:
    try:
        peer = PEERS[name](rabbitmq)
        measured.title = peer.title
        try:
            measure(peer, measured, works, quick=quick, tell=tell)
        finally:
            peer.close()
    except FAILURES as error:
        measured.problem = str(error)
        tell(f"not measured: {name}: {error}\n{getattr(error, 'details', '')}")


def _show(console: Console, comparison: Comparison, works: Sequence[str]) -> None:
    table = Table(*head_of(comparison), title="The server profile beside its peers; medians")
    for row in rows_of(comparison, works):
        table.add_row(*row)
    console.print(table)


def _write(folder: Path, comparison: Comparison, works: Sequence[str], part: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = {"machine": machine.describe(), "versions": machine.versions()}
    document = {"peers": {name: asdict(each) for name, each in comparison.items()}, **about}
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    draw(comparison, works, folder / "results.svg")
    written = f"Written by `python -m benchmarks.server`{part} on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    lines = [f"{key}: {value}" for part_of in about.values() for key, value in part_of.items()]
    page = page_of(comparison, works, written=written, about=lines, plot="results.svg")
    (folder / "results.md").write_text(page)


if __name__ == "__main__":
    sys.exit(main())
