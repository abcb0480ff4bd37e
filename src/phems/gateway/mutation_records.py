"""What of a GraphQL mutation is recorded before it is done: who asks for what, and about which things.

Ids and names alone, and of those what can be one: run configuration, tags, partition keys and whatever else
project code or a person may have written are not for the audit log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from phems.domain.actors import Actor
from phems.engine.person import Person
from phems.errors import RefusedError
from phems.gateway.callers import current_caller
from phems.services.engine_acts import EngineAct

MAX_SUBJECTS = 20
# Arguments that name what a mutation is about, at any depth.
SUBJECTS = frozenset(
    {
        "assetKeys",
        "assetSelection",
        "backfillId",
        "concurrencyKey",
        "id",
        "jobName",
        "parentBackfillId",
        "parentRunId",
        "partitionsDefName",
        "pipelineName",
        "repositoryLocationName",
        "runId",
        "runIds",
        "scheduleName",
        "selectionName",
        "sensorName",
    }
)
RUNS = frozenset({"parentRunId", "runId", "runIds"})
# What a switch of the node is set to.
SETTINGS = frozenset({"limit", "paused", "terminatePolicy"})
LOCATION = "repositoryLocationName"
# Neither changes anything: see `root_fields.MUTATIONS`.
UNRECORDED = frozenset({"logTelemetry", "setNuxSeen"})

# What people and project code write freely: not looked into.
_FREE = frozenset({"executionMetadata", "runConfigData", "tags"})

_AN_ID = re.compile(r"[\w.:/+-]{1,200}", re.ASCII)
_WITHHELD = "(withheld)"


class Records(Protocol):
    """Where acts are recorded; `phems.services.engine_acts.EngineActs` fits it."""

    def record(self, actor: Actor, act: EngineAct, refusal: RefusedError | None = None) -> None: ...


def record(
    records: Records,
    person: Person,
    mutation: str,
    arguments: Mapping[str, Any],
    refusal: RefusedError | None = None,
) -> None:
    """Record a mutation of the caller's; raises when that cannot be done, and then nothing else may be."""
    caller = current_caller.get()
    if caller is None or mutation in UNRECORDED:
        return
    records.record(caller.actor, act_of(person, mutation, arguments), refusal)


def act_of(person: Person, mutation: str, arguments: Mapping[str, Any]) -> EngineAct:
    """A mutation as the audit log has it."""
    named = list(_named(arguments))
    about = list(dict.fromkeys(_spoken(value) for key, value in named if key in SUBJECTS))
    settings = {
        key: value if isinstance(value, bool | int) else _spoken(value)
        for key, value in named
        if key in SETTINGS
    }
    more = len(about) - MAX_SUBJECTS
    return EngineAct(
        name=mutation,
        subject=" ".join(about[:MAX_SUBJECTS] + [f"(and {more} more)"] * (more > 0)) or "node",
        project=_project(person, named),
        details=settings,
    )


def _named(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each value with the name of the argument or input field that it was given for."""
    for key, value in arguments.items():
        if key in _FREE:
            continue
        if isinstance(value, Mapping):
            if key in SUBJECTS and "path" in value:
                yield key, value
            else:
                yield from _named(value)
        elif isinstance(value, list):
            for part in value:
                if isinstance(part, Mapping) and "path" not in part:
                    yield from _named(part)
                else:
                    yield key, part
        elif value is not None:
            yield key, value


def _spoken(value: Any) -> str:
    if isinstance(value, Mapping):
        value = "/".join(str(part) for part in value.get("path") or ())
    text = str(getattr(value, "value", value))
    return text if _AN_ID.fullmatch(text) else _WITHHELD


def _project(person: Person, named: list[tuple[str, Any]]) -> str | None:
    """The one project that it is about, as far as the caller sees it."""
    projects = {value for key, value in named if key == LOCATION}
    projects |= person.projects_of_runs([value for key, value in named if key in RUNS])
    project = projects.pop() if len(projects) == 1 else None
    return project if isinstance(project, str) and project in person.projects else None
