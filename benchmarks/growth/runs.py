"""One run more on a node of some size: how long it takes, what it costs, how soon its page is there."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import psycopg2

from benchmarks.side import Side, SideError

RUN_SECONDS = 600.0
SUBMITTERS = 8
PAGE = """
query Page($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { id status jobName tags { key value } stepKeysToExecute startTime endTime }
  }
  logsForRun(runId: $id, limit: 1000) {
    ... on EventConnection { cursor hasMore events { ... on MessageEvent { runId message timestamp level } } }
  }
}
"""


def one_more(side: Side, times: int) -> dict[str, float]:
    """Medians of some runs of one op, one after the other."""
    submitted, ended, pages = [], [], []
    before = side.group.cpu_seconds()
    for _ in range(times):
        began = time.monotonic()
        run_id = side.client.launch(side.location, "one_op", {})
        submitted.append(time.monotonic() - began)
        wait(side, [run_id])
        ended.append(time.monotonic() - began)
    cpu = (side.group.cpu_seconds() - before) / times
    for _ in range(times):
        began = time.monotonic()
        answer = side.client.ask(PAGE, {"id": run_id})
        pages.append(time.monotonic() - began)
        assert answer["logsForRun"]["events"], "the page of a run has no events"
    return {
        "submission": median(submitted),
        "one more run": median(ended),
        "CPU of it": cpu,
        "its page": median(pages),
    }


def drain(side: Side, count: int) -> dict[str, float]:
    """So many runs submitted by eight clients, until the last has ended."""
    before, began = side.group.cpu_seconds(), time.monotonic()
    since = time.time()
    with ThreadPoolExecutor(min(SUBMITTERS, count)) as clients:
        run_ids = list(clients.map(lambda _: side.client.launch(side.location, "one_op", {}), range(count)))
    submitted = time.monotonic() - began
    wait(side, run_ids)
    ended = time.monotonic() - began
    return {
        "submission, per run": submitted / count,
        "until the last has started, per run": (_last_start(side, run_ids) - since) / count,
        "until the last has ended, per run": ended / count,
        "CPU, per run": (side.group.cpu_seconds() - before) / count,
    }


def wait(side: Side, run_ids: list[str]) -> None:
    """Until all have ended well."""
    ended = side.runs.wait(run_ids, RUN_SECONDS)
    bad = [f"{run_id} {status}" for run_id, status in ended.items() if status != "SUCCESS"]
    if bad or len(ended) != len(run_ids):
        raise SideError(f"{len(bad)} of {len(run_ids)} runs did not succeed: {', '.join(bad[:3])}")


def _last_start(side: Side, run_ids: list[str]) -> float:
    connection = psycopg2.connect(side.address)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(start_time) FROM runs WHERE run_id = ANY(%s)", (run_ids,))
            return float(cursor.fetchone()[0])
    finally:
        connection.close()
