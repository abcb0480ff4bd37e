# ruff: noqa: INP001 (part of a script, not of a package)
"""Reference pages of what the node writes down and sends out, and what it reads from its environment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields

from reference_tables import ACTIONS, ENVIRONMENT

from phems.domain.audit import Entry
from phems.domain.notifications import GRANT_ENDS, PAUSES, Notice, notice_of, path, sentence
from phems.domain.waiting import Task, TaskKind

_NOTE = "<!-- Written by docs/generate.py from {source}: edit there, then `make docs`. -->\n"
_SOME_DAY = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)

_FIELDS: Mapping[str, str] = {
    "seq": "from 1, without a gap",
    "at": "when, in UTC",
    "actor": "who: a user, `node`, `publisher`, `local-operator`, or `code:PROJECT`",
    "actor_kind": "what kind of actor that is",
    "action": "one of the kinds below",
    "subject": "what it was done to",
    "project": "in which project; null for what is the whole node's",
    "result": "`done`, `refused` or `failed`",
    "capsule": "the digest of the run capsule that it is about, where there is one",
    "before": "the subject's state before, where it has states",
    "after": "the subject's state after",
    "details": "what else is known of it: no secret, no patient, no text of project code",
    "prev_hash": "the hash of the entry before",
    "hash": "SHA-256 over all other fields, as canonical JSON (RFC 8785)",
}


def audit_page() -> str:
    """The fields of an audit entry, and its kinds."""
    lines = [
        "# The audit log's entries",
        "",
        _NOTE.format(source="docs/reference_tables.py and phems.domain.audit"),
        "How the log is read, verified and proved: [read the audit log](../how-to/read-the-audit-log.md).",
        "",
        "| field | is |",
        "|---|---|",
        *(f"| `{field.name}` | {_FIELDS[field.name]} |" for field in fields(Entry)),
        "",
        "An act and its entry are one transaction. A refusal has its entry, too, of the same kind.",
    ]
    for title, kinds in ACTIONS.items():
        lines += ["", f"## {title}", "", "| action | |", "|---|---|"]
        lines += [f"| `{action}` | {words} |" for action, words in kinds.items()]
    return "\n".join([*lines, ""])


def notifications_page() -> str:
    """What people are told when they are waited for."""
    tasks = [Task(kind, "PROJECT", "ID", _SOME_DAY) for kind in TaskKind]
    notices = [notice for task in tasks if (notice := notice_of(task))]
    notices.append(Notice(GRANT_ENDS, "PROJECT", "DAY", _SOME_DAY))
    pauses = ", ".join(_span(pause) for pause in PAUSES)
    return "\n".join(
        [
            "# Notifications",
            "",
            _NOTE.format(source="phems.domain.notifications"),
            "What is told by mail or to a webhook",
            "([how](../how-to/tell-people-that-they-are-waited-for.md)), and the page that it leads to. No",
            "file's name, reason, comment or number leaves the node this way.",
            "",
            "| kind | told | leads to |",
            "|---|---|---|",
            *(f"| `{each.kind}` | {sentence(each)} | `{path(each)}` |" for each in notices),
            "",
            f"What cannot be sent is tried again after {pauses}, and then given up.",
            "",
        ]
    )


def environment_page() -> str:
    """The variables of the environment that the node and its commands know."""
    lines = [
        "# Environment variables",
        "",
        _NOTE.format(source="docs/reference_tables.py"),
        "A node is described by [node.yaml](node-spec.md), not by its environment. Secrets in node.yaml are",
        "named as `env:NAME` or `file:PATH`, with names of your choice.",
    ]
    for title, variables in ENVIRONMENT.items():
        lines += ["", f"## {title}", "", "| variable | |", "|---|---|"]
        lines += [f"| `{name}` | {words} |" for name, words in variables.items()]
    return "\n".join([*lines, ""])


def _span(pause: dt.timedelta) -> str:
    minutes = int(pause.total_seconds() // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h"  # noqa: PLR2004 (minutes of an hour)
