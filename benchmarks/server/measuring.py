"""Doing the works on a running peer, and timing them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from benchmarks.results import drawn_out
from benchmarks.server.comparison import Measured
from benchmarks.server.works import FANOUT, Peer, WithFanoutWidths

RUNS, FEW_RUNS = 100, 20
LONGEST_RUNS_SECONDS = 90.0
"""A peer that needs longer for `RUNS` at once is left with `FEW_RUNS`: its rate is the same."""
ROUNDS = {"one_op": 5, "artifact": 1}
OTHER_ROUNDS = 3
ROUNDS_SECONDS = 20.0
"""After this time no further sample is taken of a work."""


def measure(
    peer: Peer, measured: Measured, works: Sequence[str], *, quick: bool, tell: Callable[[str], None]
) -> None:
    """Fill in the figures of one peer, after one run to warm it up."""
    measured.notes += peer.notes
    peer.do("one_op")
    for work in works:
        try:
            samples = _samples(peer, measured, work, quick=quick)
        except NotImplementedError:
            continue
        measured.figures[work] = samples
        tell(f"{work:<12} {peer.title}: {median(samples):.3g} {'runs/min' if work == 'runs' else 's'}")


def _samples(peer: Peer, measured: Measured, work: str, *, quick: bool) -> list[float]:
    if work == "runs":
        return [_rate(peer, measured, quick=quick)]
    if work == "fanout" and isinstance(peer, WithFanoutWidths) and peer.fanout_widths:
        points = [(width, _seconds(partial(peer.fan_out, width))) for width in peer.fanout_widths]
        told = ", ".join(f"{seconds:.1f} s for {width}" for width, seconds in points)
        measured.notes.append(f"the fan-out is not measured at {FANOUT} but drawn out from {told}")
        return [drawn_out(points, FANOUT)]
    return _times(peer, work, quick=quick)


def _times(peer: Peer, work: str, *, quick: bool) -> list[float]:
    rounds = 1 if quick else ROUNDS.get(work, OTHER_ROUNDS)
    times: list[float] = []
    while len(times) < rounds and sum(times) < ROUNDS_SECONDS:
        times.append(_seconds(partial(peer.do, work)))
    return times


def _rate(peer: Peer, measured: Measured, *, quick: bool) -> float:
    rate = _runs_a_minute(peer, FEW_RUNS)
    if not quick and RUNS / rate * 60 <= LONGEST_RUNS_SECONDS:
        return _runs_a_minute(peer, RUNS)
    measured.notes.append(f"{FEW_RUNS} runs at once instead of {RUNS}")
    return rate


def _runs_a_minute(peer: Peer, count: int) -> float:
    return count / _seconds(partial(peer.do_many, count)) * 60


def _seconds(act: Callable[[], None]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
