# ruff: noqa: INP001 (part of a script, not of a package)
"""Reference pages of rules that stand in tables: permissions, the storage service, metrics, exit codes."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping

from phems.cli.failures import _SYSTEM_ERRORS, INTERRUPTED
from phems.domain.metrics import METRICS, PREFIX
from phems.domain.permission_words import WORDS
from phems.domain.permissions import PERMISSIONS, Role
from phems.domain.traces import SPAN_KINDS
from phems.engine.event_rules import STEP_EVENT_TYPES
from phems.engine.storage_rules import RULES, Rule, free, refuse
from phems.errors import PhemsError
from phems.render.alerts import ALERTS

_NOTE = "<!-- Written by docs/generate.py from {source}: edit there, then `make docs`. -->\n"


def permissions_page() -> str:
    """Who may do what: verb by role."""
    roles = list(Role)
    head = [
        "# Permissions\n",
        _NOTE.format(source="phems.domain.permissions"),
        "Roles are given in [node.yaml](node-spec.md): the first three in a project, the last two on the",
        "node. What a state allows is another question ([states](../explanation/states.md)), and so is *not",
        "one's own*: nobody approves code or votes on a release of theirs, whatever their roles are.\n",
        f"| | {' | '.join(role.title for role in roles)} | Whoever has it may |",
        f"|---{'|:---:' * len(roles)}|---|",
    ]
    rows = [
        f"| `{verb}` | {' | '.join('yes' if role in allowed else '' for role in roles)} | {WORDS[verb]} |"
        for verb, allowed in PERMISSIONS.items()
    ]
    return "\n".join([*head, *rows, ""])


_TITLES: Mapping[str, str] = {
    "runs": "Run storage",
    "events": "Event log storage",
    "schedules": "Schedule storage",
}


def storage_page() -> str:
    """Which of Dagster's storage methods cross the wall."""
    lines = [
        "# What crosses the wall",
        "",
        _NOTE.format(source="phems.engine.storage_rules"),
        "Project code reaches Dagster's storage through the storage service alone. Every abstract method of",
        "the three storages has a row; a method without one is not answered, and a test fails when Dagster",
        "adds one. *own* means: confined to runs, assets, checks and partitions of the caller's project, or",
        "to the caller's run. *filtered* means: what belongs to others is taken out of the answer.",
        "",
    ]
    for storage, rules in RULES.items():
        answered = [(name, rule) for name, rule in rules.items() if not _refuses(rule)]
        refused = [f"`{name}`" for name, rule in rules.items() if _refuses(rule)]
        lines += [f"## {_TITLES[storage]}", ""]
        if answered:
            lines += ["| method | |", "|---|---|"]
            lines += [f"| `{name}` | {_said(rule)} |" for name, rule in answered]
            lines.append("")
        lines += [f"Refused: {', '.join(refused)}.", ""]
    lines += [
        "## Values and outputs",
        "",
        "Three more, each confined to the files of the caller's project: `outputs.register`, which hashes a",
        "file of the caller's run and puts it on record; and, in a node that stores files on S3,",
        "`values.keep` and `values.find`, for what the IO manager stores below `io/`. No file's bytes cross.",
        "",
    ]
    lines += [
        "## MLflow",
        "",
        "Where a project has MLflow, `mlflow.ask`, `mlflow.more` and `mlflow.rest` carry a step's HTTP",
        "requests to its server and back, in parts of 1 MiB. The table `phems.domain.mlflow_routes`",
        "says which are open to steps. `mlflow.run` gives the one MLflow run of the step's run.",
        "",
    ]
    kinds = ", ".join(f"`{kind.value}`" for kind in sorted(STEP_EVENT_TYPES, key=lambda kind: kind.value))
    lines += [
        "## Events that a step may write",
        "",
        "`store_event` and `store_event_batch` take events of the caller's own step alone, of these kinds,",
        f"and log lines: {kinds}.",
        "",
    ]
    return "\n".join(lines)


def _refuses(rule: Rule) -> bool:
    return rule.confine is refuse


def _said(rule: Rule) -> str:
    words = []
    if rule.confine is not free:
        words.append("own")
    if rule.keep is not None:
        words.append("filtered")
    return ", ".join(words)


def metrics_page() -> str:
    """What /metrics tells, the alerts that go by it, and what traces hold."""
    lines = [
        "# Metrics, alerts and spans",
        "",
        _NOTE.format(source="phems.domain.metrics, phems.render.alerts and phems.domain.traces"),
        "What `/metrics` of a control process tells, or of a worker where node.yaml has `workers.metrics`",
        "([how to read it](../how-to/watch-the-node.md)). Labels hold routes, fields of schemas, kinds and",
        "states, and the names of projects, anchors and limits in node.yaml: never the text of a person, of",
        "project code or of data. Counters of a process begin at nought when it is started. They are asked",
        "for with `_total` behind their name, histograms with `_bucket`, `_sum` or `_count`.",
        "",
        "| metric | kind | of | labels | |",
        "|---|---|---|---|---|",
        *(
            f"| `{PREFIX}{each.name}` | {each.kind} | {', '.join(each.by)} | {_marked(each.labels)} "
            f"| {each.about} |"
            for each in METRICS.values()
        ),
        "",
        "## Alerts",
        "",
        "`phems render monitoring` writes them, with the configuration that they go with and a dashboard.",
        "*page*: somebody gets up. *ticket*: somebody looks in working hours.",
        "",
        "| alert | severity | when | for |",
        "|---|---|---|---|",
        *(
            f"| `{each.name}` | {each.severity} | `{_in_cell(each.expression)}` | {each.lasts} |"
            for each in ALERTS
        ),
        "",
        "## Spans",
        "",
        "What a node tells its collector (`telemetry.otlp`) of a run, each below the one before it. A span",
        "holds nothing but these: no address, no text of a person, of an error or of data.",
        "",
        "| span | OpenTelemetry's kind | attributes | |",
        "|---|---|---|---|",
        *(
            f"| {each.name} | {each.role} | {_marked(each.attributes)} | {each.about} |"
            for each in SPAN_KINDS.values()
        ),
        "",
    ]
    return "\n".join(lines)


def _marked(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")


def exit_codes_page() -> str:
    """What each exit code means, and how errors are told."""
    tree = [kind for kind in PhemsError.__subclasses__() if kind.__module__ == PhemsError.__module__]
    kinds = [PhemsError, *sorted(tree, key=lambda kind: kind.exit_code)]
    lines = [
        "# Exit codes and errors",
        "",
        _NOTE.format(source="phems.errors and phems.cli.failures"),
        "| code | error | |",
        "|---|---|---|",
        "| 0 | | It is done. |",
        *(f"| {kind.exit_code} | `{kind.__name__}` | {(kind.__doc__ or '').strip()} |" for kind in kinds),
        f"| {INTERRUPTED} | | Interrupted with Ctrl-C. |",
        "",
        "An error is three lines on standard error: what happened, why, and a remedy, often a command.",
        'With `--json` it is one object, `{"error": {"kind", "what", "why", "remedy", "exit_code"}}`.',
        "A person never sees a traceback; an unexpected error names the file that has it, and",
        "`PHEMS_DEBUG=1` prints it.",
        "",
        "What the operating system refuses is told in the same way, with exit code 5:",
        "",
        "| | told as | remedy |",
        "|---|---|---|",
        *(
            f"| `{errno.errorcode[number]}` | {what} | {remedy} |"
            for number, (what, remedy) in _SYSTEM_ERRORS.items()
            if number is not None
        ),
        "",
    ]
    return "\n".join(lines)
