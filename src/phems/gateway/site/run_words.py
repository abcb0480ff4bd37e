"""A run and its capsule in words: what it is of, who asked for it, the parts of what would run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phems.gateway.spelling import short
from phems.services.ports.engine_runs import EngineRun

_LONGEST = 20_000


@dataclass(frozen=True)
class Part:
    """A part of a capsule: what it is, and its words; `code` when they are shown as they are typed."""

    title: str
    words: str
    code: bool = False


def requester_words(requester: str | None) -> str:
    """Who asked for a run: a person, or what of the project's code did."""
    if requester is None:
        return "somebody who is not on record"
    kind, _, name = requester.partition(":")
    if not name:
        return requester
    return "the node" if kind == "system" else f"the {kind} {name}"


def what_of(run: EngineRun) -> str:
    """What a run is of."""
    what = f"job {run.job}" if run.job else "assets"
    return f"{what}, partition {run.partition}" if run.partition else what


def capsule_parts(document: Mapping[str, Any]) -> list[Part]:
    """All parts of a run capsule."""
    environment = document["environment"]
    selection = document["selection"]
    parts = [
        Part("Code", f"Content {short(document['code']['digest'])}"),
        Part("Environment", _environment(environment)),
        Part("Job", str(document["job"])),
        Part("Selection", _selection(selection) or "Everything in the job"),
        Part("Plan", f"Steps as in {short(str(document['plan']))}"),
        Part(
            "Configuration",
            _json(document["config"]) if document["config"] else "None",
            bool(document["config"]),
        ),
        Part("Partition", str(document["partition"]) if document["partition"] is not None else "None"),
        Part("Tags", _pairs(document["tags"]) or "None"),
        Part("Data", _data(document["data"]) or "None"),
        Part("Policy version", str(document["policy_version"])),
    ]
    variables = environment.get("variables") or {}
    if variables:
        parts.insert(2, Part("Variables", _pairs(variables)))
    return parts


def _selection(selection: Sequence[Any]) -> str:
    return "\n".join(str(each).removeprefix("step:") for each in selection)


def _environment(environment: Mapping[str, Any]) -> str:
    locked = f"Lock files {short(environment['digest'])}" if environment["digest"] else "No lock files"
    python = environment.get("interpreter")
    return f"{locked}; {python or 'the Python of the node'}"


def _data(data: Mapping[str, Mapping[str, str]]) -> str:
    return "\n".join(
        f"{name}: {found['place']}, {_version(found['version'])}" for name, found in data.items()
    )


def _version(version: str) -> str:
    kind, _, value = version.partition(":")
    words = {"sha256": f"content {short(value)}", "declared": f"version {value} as node.yaml declares it"}
    return words.get(kind, "not there")


def _pairs(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in pairs.items())


def _json(value: Any) -> str:
    words = json.dumps(value, indent=2, ensure_ascii=False)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}\n... ({len(words):,} characters in all)"
