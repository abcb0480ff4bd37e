"""The OpenLineage events that the node makes of its runs and releases, and keeps.

A run gives a START, and one event at its end. Each of its steps is a run of its own below it, told at the end
of the whole: the copies that a dynamic output makes of a step are told as one, since their keys may be a
patient's. A release is a run of the job `release`, from files by their hash to files of the package.

Names: a job is `job`, or `assets` for a run of assets, in the namespace `phems://NODE/PROJECT`; a step is
`job.step`. A data source is named by node.yaml in `phems://NODE`; an asset by its key, and a file that a run
registered by its hash, in `phems://NODE/PROJECT`; a released file as the package calls it, in
`phems://NODE/PROJECT/REQUEST`, as in the package's own `lineage.ndjson`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phems.domain.openlineage import ENDS, Producer, code_location
from phems.domain.outputs import Output
from phems.domain.release_facts import NodeIdentity, uuid_of
from phems.domain.release_outbox import OutboxEvent, PackageEvent
from phems.domain.release_packages import package_paths, time_text
from phems.domain.releases import FrozenFile, ReleaseRequest
from phems.domain.run_lineage import AssetLineage, EngineAsset, EngineRunFacts, EngineStep, RunLineage

ASSETS_JOB = "assets"
RELEASE_JOB = "release"

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LineageEvent:
    """An event as it is kept: whose it is, and the document. Of one subject there is one of each kind."""

    project: str
    subject: str
    """The UUID of the run, step or release."""
    kind: str
    document: Document
    run_id: str | None = None
    """The engine's run that it is of."""


@dataclass(frozen=True, kw_only=True)
class RunCase:
    """All that the events of a run are made of."""

    node: NodeIdentity
    engine_version: str
    """Of Dagster."""
    record: RunLineage
    facts: EngineRunFacts
    outputs: Sequence[Output] = ()


def start_of(case: RunCase) -> LineageEvent:
    """A run has begun; of one that never did, when it was asked for."""
    facts = case.facts
    return _RunEvents(case).event("START", facts.started_at or case.record.requested_at or facts.created_at)


def end_of(case: RunCase) -> list[LineageEvent]:
    """A run has ended, and its steps before it."""
    return list(_RunEvents(case).at_end())


def release_events(node: NodeIdentity, told: OutboxEvent, request: ReleaseRequest) -> list[LineageEvent]:
    """A package was released, or revoked: an OTHER event of the same run."""
    by, namespace = Producer(node.tool_version), f"phems://{node.node}/{request.project}"
    subject = uuid_of("release", request.id)
    facet = {
        "request": request.id,
        "turn": request.turn,
        "state": told.event.value,
        "packageDigest": told.manifest_digest,
    }

    def event(kind: str, at: datetime, files: tuple[FrozenFile, ...] = ()) -> LineageEvent:
        paths = package_paths(files)
        document = by.event(
            kind,
            at,
            run={"runId": subject, "facets": by.facets(phems_release=facet)},
            job={"namespace": namespace, "name": RELEASE_JOB, "facets": by.facets(jobType=_type("RELEASE"))},
            inputs=[
                by.dataset(namespace, version, version=version)
                for version in (f"sha256:{file.sha256}" for file in _once(files))
            ],
            outputs=[
                by.dataset(f"{namespace}/{request.id}", paths[file.path], version=f"sha256:{file.sha256}")
                for file in files
            ],
        )
        return LineageEvent(request.project, subject, kind, document)

    if told.event is PackageEvent.REVOKED:
        return [event("OTHER", told.at)]
    return [
        event("START", request.requested_at),
        event("COMPLETE", told.released_at, request.approved_files()),
    ]


def declared_in(document: Document) -> tuple[AssetLineage, ...]:
    """The assets of a run's last event with where their columns come from, as far as it was declared."""
    found = ((each["name"], each["facets"].get("columnLineage")) for each in document["outputs"])
    return tuple(
        AssetLineage(
            name,
            {
                column: tuple(f"{source['name']}: {source['field']}" for source in about["inputFields"])
                for column, about in sorted(lineage["fields"].items())
            },
        )
        for name, lineage in found
        if lineage is not None
    )


class _RunEvents:
    def __init__(self, case: RunCase) -> None:
        self._case = case
        self._by = Producer(case.node.tool_version)
        self._node = f"phems://{case.node.node}"
        self._namespace = f"{self._node}/{case.facts.project}"
        self._job = case.facts.job or ASSETS_JOB
        self._subject = uuid_of("run", case.facts.run_id)

    def event(self, kind: str, at: datetime) -> LineageEvent:
        """Of the whole run."""
        facts, record = self._case.facts, self._case.record
        has_ended = kind != "START"
        run = self._by.facets(
            processing_engine=self._engine(),
            nominalTime={"nominalStartTime": time_text(facts.nominal_at)} if facts.nominal_at else None,
            errorMessage=_failed(facts.steps) if kind == "FAIL" else None,
            phems_capsule=_capsule(record),
        )
        job = self._by.facets(
            jobType=_type("JOB"),
            sourceCodeLocation=code_location(record.commit),
            phems_approval=_approval(record),
        )
        own = {asset.name for asset in facts.assets}
        read = {name: v for asset in facts.assets for name, v in asset.inputs.items() if name not in own}
        document = self._by.event(
            kind,
            at,
            run={"runId": self._subject, "facets": run},
            job={"namespace": self._namespace, "name": self._job, "facets": job},
            inputs=[*self._sources(), *self._assets_read(read)],
            outputs=self._made(facts.assets, self._case.outputs) if has_ended else [],
        )
        return self._kept(self._subject, kind, document)

    def at_end(self) -> Iterator[LineageEvent]:
        facts = self._case.facts
        ended = facts.ended_at or facts.started_at or facts.created_at
        for step in facts.steps:
            yield self._step(step, "START", step.started_at)
            kind = "FAIL" if step.has_failed else "COMPLETE" if step.ended_at else "ABORT"
            yield self._step(step, kind, step.ended_at or ended)
        yield self.event(ENDS.get(facts.status, "OTHER"), ended)

    def _step(self, step: EngineStep, kind: str, at: datetime) -> LineageEvent:
        subject = uuid_of("step", f"{self._subject}/{step.name}")
        above = {"run": {"runId": self._subject}, "job": {"namespace": self._namespace, "name": self._job}}
        assets = [asset for asset in self._case.facts.assets if asset.step == step.name]
        files = [file for file in self._case.outputs if file.step_key.partition("[")[0] == step.name]
        run = self._by.facets(
            parent={**above, "root": above},
            processing_engine=self._engine(),
            errorMessage=_failed([step]) if kind == "FAIL" else None,
        )
        has_ended = kind != "START"
        document = self._by.event(
            kind,
            at,
            run={"runId": subject, "facets": run},
            job={
                "namespace": self._namespace,
                "name": f"{self._job}.{step.name}",
                "facets": self._by.facets(jobType=_type("TASK")),
            },
            inputs=self._assets_read({name: v for asset in assets for name, v in asset.inputs.items()}),
            outputs=self._made(assets, files) if has_ended else [],
        )
        return self._kept(subject, kind, document)

    def _kept(self, subject: str, kind: str, document: Document) -> LineageEvent:
        facts = self._case.facts
        return LineageEvent(facts.project, subject, kind, document, run_id=facts.run_id)

    def _engine(self) -> dict[str, Any]:
        version = self._case.node.tool_version
        return {
            "version": self._case.engine_version,
            "name": "Dagster",
            "openlineageAdapterVersion": version,
        }

    def _sources(self) -> list[dict[str, Any]]:
        data = sorted(self._case.record.data.items())
        return [self._by.dataset(self._node, name, version=version) for name, version in data]

    def _assets_read(self, read: Mapping[str, str | None]) -> list[dict[str, Any]]:
        return [self._by.dataset(self._namespace, name, version=read[name]) for name in sorted(read)]

    def _made(self, assets: Iterable[EngineAsset], files: Iterable[Output]) -> list[dict[str, Any]]:
        return [
            *(self._asset(asset) for asset in assets),
            *(_file(self._by, self._namespace, file) for file in _once(files)),
        ]

    def _asset(self, asset: EngineAsset) -> dict[str, Any]:
        made = self._by.dataset(self._namespace, asset.name, version=asset.version)
        made["facets"] |= self._by.facets(
            schema={"fields": [_column(*each) for each in asset.columns]} if asset.columns else None,
            columnLineage={"fields": self._columns(asset)} if asset.sources else None,
        )
        if asset.rows is not None:
            made["outputFacets"] = self._by.facets(outputStatistics={"rowCount": asset.rows})
        return made

    def _columns(self, asset: EngineAsset) -> dict[str, Any]:
        return {
            column: {
                "inputFields": [
                    {"namespace": self._space_of(name), "name": name, "field": field}
                    for name, field in sources
                ]
            }
            for column, sources in sorted(asset.sources.items())
        }

    def _space_of(self, name: str) -> str:
        """A column may come from a data source as well as from an asset."""
        return self._node if name in self._case.record.data else self._namespace


def _file(by: Producer, namespace: str, file: Output) -> dict[str, Any]:
    version = f"sha256:{file.sha256}"
    statistics = {"size": file.size, "fileCount": 1}
    return {
        **by.dataset(namespace, version, version=version),
        "outputFacets": by.facets(outputStatistics=statistics),
    }


def _once(files: Iterable[Any]) -> list[Any]:
    """One for each content, in the order of their hashes."""
    found = {file.sha256: file for file in files}
    return [found[digest] for digest in sorted(found)]


def _column(name: str, kind: str | None) -> dict[str, str]:
    return {"name": name} if kind is None else {"name": name, "type": kind}


def _type(kind: str) -> dict[str, str]:
    return {"processingType": "BATCH", "integration": "DAGSTER", "jobType": kind}


def _failed(steps: Iterable[EngineStep]) -> dict[str, str]:
    """That it failed, and where; never why: an error quotes what it was about."""
    names = [step.name for step in steps if step.has_failed]
    where = f" Steps that failed: {', '.join(names)}." if names else ""
    return {"message": f"The run failed.{where}", "programmingLanguage": "PYTHON"}


def _capsule(record: RunLineage) -> dict[str, Any] | None:
    if record.capsule is None:
        return None
    return _known(
        digest=record.capsule,
        environmentDigest=record.environment_digest,
        policyVersion=record.policy_version,
    )


def _approval(record: RunLineage) -> dict[str, Any] | None:
    if record.code_digest is None:
        return None
    return {
        **_known(codeDigest=record.code_digest, commit=record.commit),
        "approvedBy": list(record.approved_by),
    }


def _known(**values: str | None) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
