"""One invocation: every chosen configuration after the other, each with the machine to itself.

What fails is recorded with its reason, and the rest goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

from benchmarks import memory, work
from benchmarks.configurations import Configuration, Effort, SideName, Work
from benchmarks.gateway import Answers, measure_gateway
from benchmarks.machine import Watch
from benchmarks.node import EXAMPLE, HERE, start_bench_node, start_hospital_node, start_plain_node
from benchmarks.results import Measurement
from benchmarks.side import Side
from benchmarks.stock import CodeLocation, start_stock

MEASURES: Mapping[Work, Callable[[Side, Configuration, Effort], Measurement]] = {
    "one_op": work.one_op,
    "fanout_100": work.fanout,
    "runs_50": work.runs_at_once,
}
Tell = Callable[[str], None]


Projects = Literal["plain", "example"]
PROJECTS: Mapping[Projects, str] = {
    "plain": "two projects that import Dagster alone",
    "example": "the two projects of the example, with pandas, scikit-survival and matplotlib loaded",
}


@dataclass
class Rest:
    """A deployment with two projects, doing nothing."""

    title: str
    projects: Projects
    shares: list[memory.Share] = field(default_factory=list)
    cpu_seconds_per_minute: float = 0.0
    problem: str = ""

    @property
    def pss_mb(self) -> float:
        """What its processes take together."""
        return sum(share.pss_mb for share in self.shares)


@dataclass
class Session:
    """What was found in one invocation."""

    measurements: list[Measurement] = field(default_factory=list)
    rest: list[Rest] = field(default_factory=list)
    cold_starts: dict[str, float] = field(default_factory=dict)
    gateway: list[Answers] = field(default_factory=list)
    gateway_problem: str = ""
    cpu_method: str = ""
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0


def measure(
    configurations: Sequence[Configuration], works: Sequence[Work], effort: Effort, tell: Tell
) -> Session:
    """Do the chosen works of the chosen configurations; `tell` is given a line for each thing done."""
    session = Session()
    began = time.monotonic()
    if "cold_start" in works:
        session.cold_starts = work.cold_starts(effort)
        for title, seconds in session.cold_starts.items():
            tell(f"cold start   {title}: {seconds:.2f} s")
    # Configurations that need the same deployment share one.
    for (side, queue), same in groupby(configurations, lambda c: (c.side, c.queue)):
        chosen = [c for c in same if set(c.works) & set(works)]
        if chosen:
            _with_side(session, side, queue, chosen, works, effort, tell)
    if "memory" in works:
        for name in dict.fromkeys(c.side for c in configurations):
            session.rest += [_at_rest(name, projects, effort, tell) for projects in PROJECTS]
    if "gateway" in works and {c.side for c in configurations} == {"ours", "stock"}:
        try:
            session.gateway = measure_gateway(effort, tell)
        except Exception as error:  # noqa: BLE001 (as below)
            session.gateway_problem = _problem("failed", error, tell)
    session.seconds = time.monotonic() - began
    return session


def _with_side(
    session: Session,
    name: SideName,
    queue: str,
    configurations: Sequence[Configuration],
    works: Sequence[Work],
    effort: Effort,
    tell: Tell,
) -> None:
    wanted = [(c, w) for c in configurations for w in c.works if w in works]
    try:
        tell(f"starting     {configurations[0].title}")
        side = _start(name, queue)
    except Exception as error:  # noqa: BLE001 (whatever keeps a peer from starting belongs in the report)
        problem = _problem("did not start", error, tell)
        session.measurements += [Measurement(c.key, w, "", problem=problem) for c, w in wanted]
        return
    try:
        session.cpu_method = side.group.method
        if side.remark and side.remark not in session.remarks:
            session.remarks.append(side.remark)
        for configuration in configurations:
            session.measurements += _all_works(side, configuration, works, effort, tell)
    finally:
        side.close()


def _all_works(
    side: Side, configuration: Configuration, works: Sequence[Work], effort: Effort, tell: Tell
) -> list[Measurement]:
    found: list[Measurement] = []
    wanted = [name for name in configuration.works if name in works]
    for place, name in enumerate(wanted):
        try:
            if place == 0:
                work.warm_up(side, configuration, effort)
            measurement = MEASURES[name](side, configuration, effort)
        except Exception as error:  # noqa: BLE001 (a peer that fails is a result)
            measurement = Measurement(configuration.key, name, "", problem=_problem("failed", error, tell))
        tell(_line(configuration, measurement))
        found.append(measurement)
    return found


def _problem(what: str, error: Exception, tell: Tell) -> str:
    """The failure for the tables; the terminal is told everything that is known of it."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    tell(f"{what}: {error}")
    if details := getattr(error, "details", ""):
        tell(details)
    return f"{what}: {first}"


def _line(configuration: Configuration, found: Measurement) -> str:
    figure = "no figure" if found.median is None else f"{found.median:.3g} {found.unit}"
    cpu = "" if found.cpu_seconds_per_run is None else f", {found.cpu_seconds_per_run:.2f} CPU-s a run"
    said = "".join(f"; {remark}" for remark in found.remarks)
    return f"{found.work:<12} {configuration.title}: {figure}{cpu}{said}"


def _start(name: SideName, queue: str) -> Side:
    if name == "ours":
        return start_bench_node()
    bench = CodeLocation("bench", HERE / "project" / "src", "bench.definitions")
    return start_stock([bench], queue=queue, with_daemon=queue != "none")


def _at_rest(name: SideName, projects: Projects, effort: Effort, tell: Tell) -> Rest:
    rest = Rest(TITLES[name], projects)
    tell(f"starting     {rest.title} with {PROJECTS[projects]}")
    try:
        side = _STARTS[name, projects]()
    except Exception as error:  # noqa: BLE001 (as above)
        rest.problem = _problem("did not start", error, tell)
        return rest
    try:
        time.sleep(effort.rest_seconds / 2)  # let it come to rest: this is the one thing not to be hurried
        watch = Watch(side.group)
        time.sleep(effort.rest_seconds / 2)
        cpu, _foreign = watch.stop()
        rest.cpu_seconds_per_minute = cpu / (effort.rest_seconds / 2) * 60
        rest.shares = memory.measure(side.group.pids())
    finally:
        side.close()
    count = sum(share.processes for share in rest.shares)
    tell(f"memory       {rest.title}, {projects} projects: {rest.pss_mb:.0f} MB PSS in {count} processes")
    return rest


def _stock_hospital() -> Side:
    return _stock(
        {name: Path(EXAMPLE) / "code" / name / "src" for name in ("heart-attack", "breast-cancer")},
        lambda name: f"{name.replace('-', '_')}.definitions",
    )


def _stock_plain() -> Side:
    return _stock(
        dict.fromkeys(("bench", "bench-two"), HERE / "project" / "src"), lambda _: "bench.definitions"
    )


def _stock(folders: Mapping[str, Path], module: Callable[[str], str]) -> Side:
    locations = [CodeLocation(name, folder, module(name)) for name, folder in folders.items()]
    return start_stock(locations, queue="default", with_daemon=True)


TITLES: Mapping[SideName, str] = {"ours": "PHEMS node", "stock": "stock Dagster"}
_STARTS: Mapping[tuple[SideName, Projects], Callable[[], Side]] = {
    ("ours", "plain"): start_plain_node,
    ("ours", "example"): start_hospital_node,
    ("stock", "plain"): _stock_plain,
    ("stock", "example"): _stock_hospital,
}
