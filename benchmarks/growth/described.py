"""The curves: what each counts, how the node comes to its sizes, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.growth.curves import Curve, Line

_RUN_LINES = (
    Line("submission", "s", flat=True),
    Line("one more run", "s", flat=True),
    Line("CPU of it", "s", flat=True),
    Line("its page", "s", flat=True),
)


def drained() -> Curve:
    """Runs that are really queued and really run."""
    return Curve(
        "Runs queued at once",
        "runs at once",
        "Each run is submitted by one of eight clients over the gateway and runs to its end; ten of the "
        "project at once. From one run to many the time per run falls, as four steps work at once: what is "
        "asked is that the CPU time of all the node's processes per run stays flat.",
        (
            Line("submission, per run", "s"),
            Line("until the last has started, per run", "s"),
            Line("until the last has ended, per run", "s"),
            Line("CPU, per run", "s", flat=True),
        ),
    )


def waiting() -> Curve:
    """Runs that wait for their project's turn, while another project works."""
    return Curve(
        "Runs of another project that wait in the queue",
        "queued runs",
        "The second project may have one run in progress, and has one that lasts; its queued runs are "
        "copies, made with SQL in Dagster's tables, of a run that was really submitted. One more run is one "
        "of the first project, submitted over the gateway.",
        (*_RUN_LINES, Line("CPU at rest, per minute", "s")),
    )


def events() -> Curve:
    """A long history."""
    return Curve(
        "Events in the event log",
        "events",
        "The history is copies, made with SQL in Dagster's tables, of one run that the node has done, with "
        "its tags and its events; the tables are vacuumed before the measurement.",
        _RUN_LINES,
    )


def projects() -> Curve:
    """Many projects, none of which does anything."""
    return Curve(
        "Projects at rest",
        "projects",
        "A node for each size, its projects' code approved before it starts. The memory of a project is the "
        "proportional set size of its host and code server, with all they import. Its own imports are what a "
        "Python takes that imports the project's definitions, and with them Dagster, and does nothing else.",
        (
            Line("from start to all ready, per project", "s"),
            Line("memory of a project's processes", "MB"),
            Line("memory of the whole node", "MB"),
            Line("memory of one project more", "MB"),
            Line("of that, beyond its own imports", "MB", at_most=80.0),
        ),
    )


CURVES: Mapping[str, Callable[[], Curve]] = {
    "drained": drained,
    "waiting": waiting,
    "events": events,
    "projects": projects,
}
