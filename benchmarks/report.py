"""What was found, as a table on the terminal, a page and a JSON document: all from the same rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from benchmarks.configurations import Configuration
from benchmarks.gateway import RUNS_LIST, Answers, percentile
from benchmarks.results import GATEWAY_TARGET, MEMORY_TARGET_MB, TARGETS, Measurement, ratios
from benchmarks.session import PROJECTS, TITLES, Rest, Session

FORMAT = 1
_WORKS = {
    "one_op": "1-op job",
    "fanout_100": "100-way fan-out",
    "runs_50": "50 runs at once",
}
_METHOD = """\
- Each deployment runs alone, with its own Postgres (same binary, same settings, same disk), in one
  invocation.
- A run is submitted by the GraphQL mutation `launchRun`, over HTTP, to the deployment's web server. The
  jobs are the same Python file on both sides (`benchmarks/project`). The time ends when the run's row in
  Dagster's own table says `SUCCESS`, which is looked up every 5 ms (from half a second on, every 1 % of
  the time waited).
- Before anything is timed both jobs are run to warm up. One run is timed at a time, and the next begins
  when every process of the last has ended; 50 runs are submitted by eight clients at once, and the clock
  stops when the last run has ended.
- CPU seconds are those of every process of the deployment, Postgres and ended children included, from the
  first submission until the last process of the work has ended. Counted by: {cpu_method}.
- Stock's Postgres trusts local connections, so that stock pays no password exchange for each connection
  it opens.
- Memory: each deployment at rest with two projects, once with two that import Dagster alone (the target is
  for these: what a project's own libraries take is the project's), once with the two of `examples/hospital`,
  whose pandas, scikit-survival and matplotlib a project host keeps loaded. RSS counts shared pages once in
  each process, PSS divides them; the sum of PSS is what the deployment takes.
- Gateway: both deployments run at once, with ten thousand runs in each database (copies of one run of each of
  two projects), and are asked in turn by fifty people at once, each on a connection that is kept. The
  question is the one of Dagster's page of runs, in the same words on both sides. On the node each person has
  a token and a role in one of the projects, whose runs they see; stock shows all to everybody. Of the node's
  own pages, release requests are a thousand of one project.
- A figure is marked noisy when its samples differ by half or more, or when other programs took over 10 %
  of the CPU.
"""


def document(
    session: Session, about: Mapping[str, Any], configurations: Sequence[Configuration]
) -> dict[str, Any]:
    """Everything, for programs. `ratios` says how many times better the node is: larger is better."""
    found = ratios(session.measurements)
    return {
        "format": FORMAT,
        **about,
        "ratios": {
            **found,
            "memory_pss": _memory_ratio(session.rest),
            "gateway": _gateway_ratio(session.gateway),
        },
        "targets": {
            **{target.key: target.at_least for target in TARGETS},
            "gateway": round(1 / GATEWAY_TARGET, 2),
        },
        "configurations": {c.key: {"title": c.title, "switched_on": c.switched_on} for c in configurations},
        "measurements": [
            {**asdict(m), "median": m.median, "is_noisy": m.is_noisy, "remarks": m.remarks}
            for m in session.measurements
        ],
        "memory": [{**asdict(rest), "pss_mb": rest.pss_mb} for rest in session.rest],
        "gateway": [
            {"what": each.what, "node": _percentiles(each.node), "stock": _percentiles(each.stock)}
            for each in session.gateway
        ],
        "cold_starts": session.cold_starts,
        "cpu_method": session.cpu_method,
        "remarks": session.remarks,
        "seconds": session.seconds,
    }


def ratio_rows(session: Session) -> list[list[str]]:
    """What the node was asked to reach, and what it reached."""
    found = ratios(session.measurements)
    rows = []
    for target in TARGETS:
        ratio = found[target.key]
        said = "-" if ratio is None else f"{ratio:.1f}x"
        verdict = "not measured" if ratio is None else "met" if ratio >= target.at_least else "missed"
        if ratio is not None and any(m.is_noisy for m in session.measurements if m.work == target.work):
            verdict += ", noisy"
        rows.append([target.title, target.against, said, f">= {target.at_least:g}x", verdict])
    for rest in session.rest:
        if rest.title == TITLES["ours"] and not rest.problem:
            goal, verdict = "-", ""
            if rest.projects == "plain":
                goal = f"< {MEMORY_TARGET_MB:.0f} MB"
                verdict = "met" if rest.pss_mb < MEMORY_TARGET_MB else "missed"
            said = f"{rest.pss_mb:.0f} MB PSS"
            rows.append([f"memory at rest, {PROJECTS[rest.projects]}", "-", said, goal, verdict])
    for answers in session.gateway:
        if answers.what == RUNS_LIST and answers.ratio is not None:
            verdict = "met" if answers.ratio < GATEWAY_TARGET else "missed"
            what = f"{answers.what}, 50 people at once"
            said = f"{answers.ratio:.2f} times its time"
            rows.append([what, "stock web server", said, f"< {GATEWAY_TARGET} times", verdict])
    return rows


RATIO_COLUMNS = ["work", "against", "result", "target", ""]


def figure_rows(session: Session, configurations: Sequence[Configuration]) -> list[list[str]]:
    """A row for each configuration: what it has switched on, and its figures."""
    rows = []
    for configuration in configurations:
        by_work = {m.work: m for m in session.measurements if m.configuration == configuration.key}
        if not by_work:
            continue
        one = by_work.get("one_op")
        cpu = "-" if one is None or one.cpu_seconds_per_run is None else f"{one.cpu_seconds_per_run:.2f}"
        figures = [_figure(by_work.get(work)) for work in _WORKS]
        rows.append([configuration.title, configuration.switched_on, figures[0], cpu, *figures[1:]])
    for title, seconds in session.cold_starts.items():
        rows.append([f"floor: {title}", "starting a Python", f"{seconds:.2f} s", "-", "-", "-"])
    return rows


FIGURE_COLUMNS = [
    "configuration",
    "switched on",
    "1-op job",
    "CPU-s per run",
    "100-way fan-out",
    "50 runs at once",
]


def memory_rows(rest: Sequence[Rest]) -> list[list[str]]:
    """Memory at rest by role."""
    rows = []
    for side in rest:
        named = [side.title, side.projects]
        if side.problem:
            rows.append([*named, side.problem, "", "", ""])
        for share in side.shares:
            counts = [str(share.processes), f"{share.rss_mb:.0f}", f"{share.pss_mb:.0f}"]
            rows.append([*named, share.role, *counts])
        if side.shares:
            processes = str(sum(share.processes for share in side.shares))
            rss = f"{sum(share.rss_mb for share in side.shares):.0f}"
            rows.append([*named, "together", processes, rss, f"{side.pss_mb:.0f}"])
    return rows


MEMORY_COLUMNS = ["deployment", "projects", "process", "count", "RSS in MB", "PSS in MB"]


def gateway_rows(found: Sequence[Answers]) -> list[list[str]]:
    """A row for each kind of question to the web servers."""
    rows = []
    for answers in found:
        figures = [
            f"{percentile(side, which):.3f} s" if side else "-"
            for side in (answers.node, answers.stock)
            for which in (50, 95)
        ]
        ratio = "-" if answers.ratio is None else f"{answers.ratio:.2f}"
        rows.append([answers.what, str(len(answers.node)), *figures, ratio])
    return rows


GATEWAY_COLUMNS = [
    "50 people at once",
    "asked",
    "node p50",
    "node p95",
    "stock p50",
    "stock p95",
    "ratio of p50",
]


def notes(session: Session, configurations: Sequence[Configuration]) -> list[str]:
    """What a reader must know of single figures."""
    titles = {c.key: c.title for c in configurations}
    said = [
        f"{titles[m.configuration]}, {_WORKS[m.work]}: {remark}"
        for m in session.measurements
        for remark in m.remarks
    ]
    measured = {m.configuration for m in session.measurements}
    said += [f"{c.title}: {c.note}." for c in configurations if c.note and c.key in measured]
    said += [
        f"At rest, {rest.title} takes {rest.cpu_seconds_per_minute:.1f} CPU seconds a minute."
        for rest in session.rest
        if not rest.problem and rest.projects == "plain"
    ]
    if session.gateway_problem:
        said.append(f"gateway: {session.gateway_problem}")
    return [*said, *session.remarks]


def page(session: Session, about: Mapping[str, Any], configurations: Sequence[Configuration]) -> str:
    """The page `results.md`."""
    parts = [
        "# Speed and memory, beside stock Dagster",
        "",
        f"Written by `make bench` on {about['date']}"
        + (", a quick look with few samples." if about["quick"] else "."),
        "",
        _markdown(RATIO_COLUMNS, ratio_rows(session)),
        "## Figures",
        "",
        "Medians. CPU seconds are those of the whole deployment for a 1-op job.",
        "",
        _markdown(FIGURE_COLUMNS, figure_rows(session, configurations)),
    ]
    if session.rest:
        parts += ["## Memory at rest, two projects", "", _markdown(MEMORY_COLUMNS, memory_rows(session.rest))]
    if session.gateway:
        parts += ["## Gateway", "", _markdown(GATEWAY_COLUMNS, gateway_rows(session.gateway))]
    said = notes(session, configurations)
    parts += ["## Notes", "", *[f"- {' '.join(note.split())}" for note in said], ""] if said else []
    parts += ["## Method", "", _METHOD.format(cpu_method=session.cpu_method or "-")]
    facts = {**about["machine"], **about["versions"], "duration": f"{session.seconds:.0f} s"}
    parts += ["## Machine and versions", "", _markdown(["", ""], [[k, v] for k, v in facts.items()])]
    return "\n".join(parts).rstrip() + "\n"


def tables(session: Session, configurations: Sequence[Configuration]) -> list[Table]:
    """The same for a terminal."""
    shown = [
        ("Figures (medians)", FIGURE_COLUMNS, figure_rows(session, configurations)),
        ("Memory at rest, two projects", MEMORY_COLUMNS, memory_rows(session.rest)),
        (
            "Gateway, with 10,000 runs and 1,000 release requests",
            GATEWAY_COLUMNS,
            gateway_rows(session.gateway),
        ),
        ("Ratios: how many times better the node is", RATIO_COLUMNS, ratio_rows(session)),
    ]
    made = []
    for title, columns, rows in shown:
        if not rows:
            continue
        table = Table(title=title, title_justify="left")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        made.append(table)
    return made


def _figure(found: Measurement | None) -> str:
    if found is None:
        return "-"
    if found.median is None:
        return "failed (see notes)"
    mark = " *" if found.remarks else ""
    return f"{found.median:.3g} {found.unit}{mark}"


def _percentiles(samples: list[float]) -> dict[str, float] | None:
    return {f"p{which}": round(percentile(samples, which), 4) for which in (50, 95)} if samples else None


def _gateway_ratio(found: Sequence[Answers]) -> float | None:
    """Stock's time for the list of runs through the node's: larger is better, as all ratios are."""
    ratio = next((answers.ratio for answers in found if answers.what == RUNS_LIST), None)
    return round(1 / ratio, 2) if ratio else None


def _memory_ratio(rest: Sequence[Rest]) -> float | None:
    plain = {each.title: each.pss_mb for each in rest if each.projects == "plain"}
    ours, stock = plain.get(TITLES["ours"]), plain.get(TITLES["stock"])
    return round(stock / ours, 2) if ours and stock else None


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(word) for word in line) + " |" for line in lines) + "\n"


def _cell(word: str) -> str:
    return " ".join(word.split()).replace("|", "\\|")
