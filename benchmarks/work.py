"""Doing the work on a running side, and timing it from submission to the end of the run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from benchmarks.configurations import Configuration, Effort
from benchmarks.graphql import GraphQLError
from benchmarks.machine import Watch
from benchmarks.results import Measurement, drawn_out
from benchmarks.side import Side, SideError

RUN_SECONDS = 600.0
WARM_UP_SETTLE_SECONDS = 4.0
SUBMITTERS = 8
FANOUT = 100
COLD_STARTS: Mapping[str, str] = {
    "python -c 'import dagster'": "import dagster",
    "python -c 'pass'": "pass",
}


def warm_up(side: Side, configuration: Configuration, effort: Effort) -> None:
    """Run both jobs once or more, so that what a side does once in its life is done."""
    for _ in range(effort.warm_ups):
        before = side.group.pids()
        _run(side, configuration, "one_op", {})
        _run(side, configuration, "fanout", _width(2))
        # Some processes that appear here stay (a resource tracker, idle connections): no reason to wait long.
        side.settle(before, WARM_UP_SETTLE_SECONDS)


def one_op(side: Side, configuration: Configuration, effort: Effort) -> Measurement:
    """A 1-op job, one after the other."""
    result = Measurement(configuration.key, "one_op", "s")
    watch = Watch(side.group)
    for _ in range(effort.one_op):
        result.samples.append(_timed(side, configuration, "one_op", {}))
    cpu, result.foreign_share = watch.stop()
    result.cpu_seconds_per_run = cpu / effort.one_op
    return result


def fanout(side: Side, configuration: Configuration, effort: Effort) -> Measurement:
    """A 100-way dynamic fan-out, one after the other; or narrower ones from which 100 is drawn."""
    result = Measurement(configuration.key, "fanout_100", "s", note="")
    watch = Watch(side.group)
    points: list[tuple[int, float]] = []
    rounds = configuration.fanout_rounds or effort.fanout
    for width in configuration.fanout_widths:
        times = [_timed(side, configuration, "fanout", _width(width)) for _ in range(rounds)]
        points.append((width, median(times)))
        if width == FANOUT:
            result.samples = times
    cpu, result.foreign_share = watch.stop()
    if FANOUT in configuration.fanout_widths:
        result.cpu_seconds_per_run = cpu / (rounds * len(points))
    else:
        result.samples = [drawn_out(points, FANOUT)]
        said = ", ".join(f"{seconds:.1f} s for {width}" for width, seconds in points)
        result.note = f"not measured at 100 but drawn out from {said}"
    return result


def runs_at_once(side: Side, configuration: Configuration, effort: Effort) -> Measurement:
    """Many 1-op runs submitted at once by eight clients: runs per minute until the last has ended."""
    result = Measurement(configuration.key, "runs_50", "runs/min")
    watch = Watch(side.group)
    rounds, count = effort.rounds_of_runs[configuration.side], effort.runs
    for _ in range(rounds):
        before = side.group.pids()
        began = time.monotonic()
        with ThreadPoolExecutor(SUBMITTERS) as clients:
            futures = [clients.submit(_submit, side, configuration, "one_op", {}) for _ in range(count)]
            run_ids = [future.result() for future in futures]
        _wait(side, run_ids)
        result.samples.append(effort.runs / (time.monotonic() - began) * 60)
        side.settle(before)
    cpu, result.foreign_share = watch.stop()
    result.cpu_seconds_per_run = cpu / (effort.runs * rounds)
    if effort.runs != 50:
        result.note = f"{effort.runs} runs instead of 50"
    return result


def cold_starts(effort: Effort) -> dict[str, float]:
    """The floor of whatever starts a Python: seconds by command, medians."""
    found = {}
    for title, code in COLD_STARTS.items():
        times = []
        for _ in range(effort.cold_starts):
            began = time.monotonic()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.monotonic() - began)
        found[title] = median(times)
    return found


def _timed(side: Side, configuration: Configuration, job: str, ops: Mapping[str, Any]) -> float:
    before = side.group.pids()
    seconds = _run(side, configuration, job, ops)
    if not side.settle(before):
        raise SideError(f"a process of {job} did not end")
    return seconds


def _run(side: Side, configuration: Configuration, job: str, ops: Mapping[str, Any]) -> float:
    began = time.monotonic()
    run_id = _submit(side, configuration, job, ops)
    _wait(side, [run_id])
    return time.monotonic() - began


def _submit(side: Side, configuration: Configuration, job: str, ops: Mapping[str, Any]) -> str:
    run_config: dict[str, Any] = dict(ops)
    if configuration.execution is not None:
        run_config["execution"] = {"config": configuration.execution}
    try:
        return side.client.launch(side.location, job, run_config)
    except (OSError, GraphQLError) as error:
        raise SideError(f"{job} was not launched: {error}") from error


def _wait(side: Side, run_ids: list[str]) -> None:
    statuses = side.runs.wait(run_ids, RUN_SECONDS)
    bad = [f"{run_id} {status}" for run_id, status in statuses.items() if status != "SUCCESS"]
    if bad or len(statuses) != len(run_ids):
        raise SideError(f"{len(bad)} of {len(run_ids)} runs did not succeed: {', '.join(bad[:5])}")


def _width(width: int) -> dict[str, Any]:
    return {"ops": {"spread": {"config": {"width": width}}}}
