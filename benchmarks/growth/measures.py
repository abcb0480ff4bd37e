"""The ways in which a node grows, each measured on a node of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2

from benchmarks import memory
from benchmarks.growth.copies import copy_run
from benchmarks.growth.curves import Curve
from benchmarks.growth.nodes import imports_mb, names, start_grown
from benchmarks.growth.runs import drain, one_more, wait
from benchmarks.side import Side, wait_for

Tell = Callable[[str], None]
TIMES = 5
REST_SECONDS = 5.0
HOST = "project host and its code server"


def drained(curve: Curve, sizes: Sequence[int], tell: Tell) -> None:
    """Runs that are really queued and really run."""
    grown = start_grown(1)
    try:
        one_more(grown.side, 1)
        for size in sizes:
            _add(curve, size, drain(grown.side, size), tell)
    finally:
        grown.side.close()


def waiting(curve: Curve, sizes: Sequence[int], tell: Tell) -> None:
    """Runs that wait for their project's turn, while another project works."""
    grown = start_grown(2, runs=1)
    side = grown.side
    try:
        one_more(side, 1)
        second = names(2)[1]
        blocker = side.client.launch(second, "staying", {})
        with _cursor(side) as cursor:
            wait_for(lambda: _status(cursor, blocker) == "STARTED", "the start of the run that lasts")
            queued = side.client.launch(second, "one_op", {})
            there = 1
            for size in sizes:
                if size > there:
                    copy_run(cursor, queued, there, size - 1, ("runs", "run_tags"))
                    there = size
                before = side.group.cpu_seconds()
                time.sleep(REST_SECONDS)
                rest = (side.group.cpu_seconds() - before) * 60 / REST_SECONDS
                _add(curve, size, {**one_more(side, TIMES), "CPU at rest, per minute": rest}, tell)
            assert _status(cursor, queued) == "QUEUED", "what was to wait has not waited"
    finally:
        side.close()


def events(curve: Curve, sizes: Sequence[int], tell: Tell) -> None:
    """A long history."""
    grown = start_grown(1)
    side = grown.side
    try:
        one_more(side, 1)
        sample = side.client.launch(side.location, "one_op", {})
        wait(side, [sample])
        with _cursor(side) as cursor:
            cursor.execute("SELECT count(*) FROM event_logs WHERE run_id = %s", (sample,))
            each = cursor.fetchone()[0]
            copies = 0
            for size in sizes:
                copy_run(cursor, sample, copies + 1, size // each)
                copies = size // each
                _add(curve, size, one_more(side, TIMES), tell)
    finally:
        side.close()


def projects(curve: Curve, sizes: Sequence[int], tell: Tell) -> None:
    """Many projects, none of which does anything."""
    first: tuple[int, float] | None = None
    for size in sizes:
        grown = start_grown(size)
        try:
            time.sleep(REST_SECONDS)  # until the start's own work has ended
            shares = memory.measure(grown.side.group.pids())
            imports = imports_mb()
        finally:
            grown.side.close()
        total = sum(share.pss_mb for share in shares)
        hosts = sum(share.pss_mb for share in shares if share.role in {HOST, "sandbox (bubblewrap)"})
        found = {
            "from start to all ready, per project": grown.start_seconds / size,
            "memory of a project's processes": hosts / size,
            "memory of the whole node": total,
        }
        if first is not None:
            more = (total - first[1]) / (size - first[0])
            found["memory of one project more"] = more
            found["of that, beyond its own imports"] = more - imports
        first = first or (size, total)
        _add(curve, size, found, tell)


def _add(curve: Curve, size: int, found: dict[str, float], tell: Tell) -> None:
    curve.figures[size] = found
    told = ", ".join(f"{title} {figure:.3g}" for title, figure in found.items())
    tell(f"{curve.grows} {size:>9,}: {told}")


def _status(cursor: Any, run_id: str) -> str:
    cursor.execute("SELECT status FROM runs WHERE run_id = %s", (run_id,))
    return str(cursor.fetchone()[0])


@contextmanager
def _cursor(side: Side) -> Iterator[Any]:
    connection = psycopg2.connect(side.address)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # a million rows take a minute or two
            yield cursor
    finally:
        connection.close()
