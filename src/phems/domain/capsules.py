"""The run capsule: the one digest that names what a run is, and the document that it is the digest of.

The digest is SHA-256 over the RFC 8785 form of the document. Two runs with the same capsule run the same code
in the same environment, on the same bytes, with the same configuration, under the same rules. Who asked, and
which run it is, is not part of it: that is in the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phems.domain.canonical import digest, parse

FORM = "run capsule 1"
SHOWN_DIGITS = 12


@dataclass(frozen=True)
class RunFacts:
    """What a run row says of a run, in plain types; none of it may change once it was asked for.

    `run_config` is canonical JSON. `tags` are those of its makers, which project code can read; Dagster's own
    and the node's are not among them.
    """

    run_id: str
    project: str
    job: str
    plan_id: str
    run_config: str
    selection: tuple[str, ...]
    partition: str | None = None
    parent_run_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    def fingerprint(self) -> str:
        """A digest of this very run: the row must still have it when the run is launched."""
        return digest(
            {
                "run_id": self.run_id,
                "project": self.project,
                "job": self.job,
                "plan": self.plan_id,
                "config": self.run_config,
                "selection": list(self.selection),
                "partition": self.partition,
                "parent": self.parent_run_id,
                "tags": dict(self.tags),
            }
        )


@dataclass(frozen=True)
class CodeFacts:
    """What runs: the digest of the code, that of its lock files, and what the node sets around it."""

    digest: str
    environment_digest: str | None
    interpreter: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class GrantedData:
    """A data source as a run would read it. `place` is its format and path.

    `version` is `sha256:` and the hash of the file, `declared:` and what node.yaml says, or `missing`.
    """

    place: str
    version: str


def capsule_document(
    facts: RunFacts, code: CodeFacts, data: Mapping[str, GrantedData], *, policy_version: str
) -> dict[str, Any]:
    """The capsule in full. `data` are the data sources that the project may read, by name."""
    return {
        "phems": FORM,
        "project": facts.project,
        "code": {"digest": code.digest},
        "environment": {
            "digest": code.environment_digest,
            "interpreter": code.interpreter,
            "variables": dict(code.variables),
        },
        "job": facts.job,
        "selection": list(facts.selection),
        "plan": facts.plan_id,
        "config": parse(facts.run_config),
        "partition": facts.partition,
        "tags": dict(facts.tags),
        "data": {name: {"place": found.place, "version": found.version} for name, found in data.items()},
        "policy_version": policy_version,
    }


def granted_data(document: Mapping[str, Any]) -> dict[str, GrantedData]:
    """The data sources that a capsule names."""
    return {name: GrantedData(found["place"], found["version"]) for name, found in document["data"].items()}


def other_data(admitted: Mapping[str, GrantedData], shown: Mapping[str, GrantedData]) -> str:
    """In which data source, and how, what is shown is other than what a run was admitted with; or empty.

    Less may be shown than the run was admitted with: a grant that has ended is no reason to end a run that
    reads other data, and a step that reads that source fails by itself.
    """
    for name, found in sorted(shown.items()):
        said = admitted.get(name)
        if said is None:
            return f"the data source {name} was granted"
        if said.place != found.place:
            return f"the data source {name} was registered as another file"
        if said.version != found.version:
            return (
                f"the data source {name} was replaced or changed "
                f"(admitted: {shown_version(said.version)}, now: {shown_version(found.version)})"
            )
    return ""


def shown_version(version: str) -> str:
    """A version of data as people read it: of a digest, its beginning."""
    kind, _, rest = version.partition(":")
    return f"sha256:{rest[:SHOWN_DIGITS]}" if kind == "sha256" else version


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of a capsule, such as `data`, in which two differ; sorted."""
    return tuple(sorted(part for part in before.keys() | after.keys() if before.get(part) != after.get(part)))


def shown(capsule: str) -> str:
    """A capsule's digest as people read and type it."""
    return capsule[:SHOWN_DIGITS]
