"""Runs of a node over its gateway: launch, find, follow, cancel; answers as plain dataclasses.

Failures come as errors of our tree: an unknown job lists those there are, a refused run carries the
reason that admission gave, a failed one the message of its first failed step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phems.cli import run_queries as queries
from phems.cli.gateway_client import GatewayClient
from phems.cli.run_answers import (
    ENDED,
    LOCATION_TAG,
    PARTITION_TAG,
    Page,
    Run,
    Step,
    event_of,
    run_of,
    step_of,
)
from phems.cli.run_errors import REFUSED, denied, launch_error, no_partition, no_run, refusal
from phems.errors import InputError, NotFoundError, PhemsError, RefusedError, UnavailableError

ASSET_JOB = "__ASSET_JOB"
FIRST_POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 0.5
PAGE = 500
# A prefix is looked for among this many of the newest runs.
NEWEST = 5000
RUN_ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class Request:
    """A run that somebody asks for."""

    project: str
    job: str | None
    assets: Sequence[str] = ()
    partition: str | None = None
    config: Mapping[str, Any] | str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class RunClient:
    """The runs of a node, as the caller's token may see and use them."""

    def __init__(self, gateway: GatewayClient) -> None:
        self._gateway = gateway

    def launch(self, request: Request) -> Run:
        """Ask for a run. It may be refused still, at once or when its turn comes."""
        repository, job, assets = self._target(request)
        keys = [{"path": path.split("/")} for path in assets]
        selector: dict[str, Any] = {
            "repositoryLocationName": request.project,
            "repositoryName": repository,
            "jobName": job,
        }
        tags, config = dict(request.tags), request.config
        if request.partition is not None:
            partition_tags, partition_config = self._partition(selector, keys, request.partition)
            tags = {**partition_tags, **tags, PARTITION_TAG: request.partition}
            config = partition_config if config is None else config
        if keys:
            selector["assetSelection"] = keys
        params = {
            "selector": selector,
            "runConfigData": {} if config is None else config,
            "executionMetadata": {"tags": [{"key": key, "value": tags[key]} for key in tags]},
        }
        answer = self._gateway.ask(queries.LAUNCH, params=params)["launchRun"]
        if answer["__typename"] == "LaunchRunSuccess":
            return run_of(answer["run"])
        raise launch_error(answer, request.project)

    def runs(self, *, project: str | None, statuses: Sequence[str], limit: int) -> list[Run]:
        """Runs, newest first."""
        wanted: dict[str, Any] = {}
        if project is not None:
            wanted["tags"] = [{"key": LOCATION_TAG, "value": project}]
        if statuses:
            wanted["statuses"] = list(statuses)
        answer = self._gateway.ask(queries.RUNS, filter=wanted, limit=limit)["runsOrError"]
        if "results" not in answer:
            raise PhemsError("The runs cannot be listed.", why=answer.get("message", ""))
        return [run_of(found) for found in answer["results"]]

    def full_id(self, prefix: str) -> str:
        """The run id that starts so; NotFoundError when there is none, InputError when there are several."""
        if len(prefix) == RUN_ID_LENGTH:
            return prefix
        answer = self._gateway.ask(queries.RUN_IDS, limit=NEWEST)["runIdsOrError"]
        found = [run_id for run_id in answer.get("results", ()) if run_id.startswith(prefix.lower())]
        if not found or not prefix:
            raise no_run(prefix)
        if len(found) > 1:
            shown = ", ".join(run_id[:13] for run_id in found[:5])
            raise InputError(
                f"{len(found)} runs start with {prefix}.", why=f"{shown}.", remedy="Give more of the run id."
            )
        return str(found[0])

    def show(self, run_id: str) -> tuple[Run, list[Step]]:
        """A run and its steps."""
        answer = self._gateway.ask(queries.RUN, id=run_id)["runOrError"]
        if answer["__typename"] != "Run":
            raise no_run(run_id)
        stats = {stat["stepKey"]: stat for stat in answer["stepStats"]}
        planned = [step["key"] for step in (answer["executionPlan"] or {}).get("steps", ())]
        # Dynamic steps are not in the plan by the names they run under.
        keys = [key for key in planned if key in stats or "[?]" not in key]
        keys += [key for key in stats if key not in keys]
        # In the order in which they began; those that have not, in the plan's.
        keys.sort(key=lambda key: (stats.get(key) or {}).get("startTime") or math.inf)
        return run_of(answer), [step_of(key, stats.get(key)) for key in keys]

    def page(self, run_id: str, after: str | None) -> Page:
        """The next events of a run after a cursor."""
        answer = self._gateway.ask(queries.EVENTS, id=run_id, after=after, limit=PAGE, withPlan=after is None)
        run, log = answer["runOrError"], answer["logsForRun"]
        if run["__typename"] != "Run" or log["__typename"] != "EventConnection":
            raise no_run(run_id)
        return Page(
            status=run["status"],
            events=[event_of(told) for told in log["events"]],
            planned_steps=len((run.get("executionPlan") or {}).get("steps", ())),
            cursor=log["cursor"],
            has_more=log["hasMore"],
        )

    def follow(self, run_id: str, *, until_end: bool = True) -> Iterator[Page]:
        """Pages of events as they come; ends with the run, or with what is there now."""
        cursor: str | None = None
        pause = FIRST_POLL_SECONDS
        while True:
            page = self.page(run_id, cursor)
            cursor = page.cursor or cursor
            yield page
            if page.has_more:
                continue
            # The status was read before the events: once it is final, the next page has the rest.
            if (page.status in ENDED and not page.events) or not until_end:
                return
            if page.status not in ENDED:
                # Short runs end at once, long ones are asked about twice a second.
                time.sleep(pause)
                pause = min(pause * 1.2, LONGEST_POLL_SECONDS)

    def captured(self, run_id: str, file_key: str) -> tuple[str, str]:
        """What a step printed: standard output and standard error."""
        key = [run_id, "compute_logs", file_key]
        texts: dict[str, list[str]] = {"stdout": [], "stderr": []}
        cursor: str | None = None
        while True:
            answer = self._gateway.ask(queries.CAPTURED, key=key, cursor=cursor)["capturedLogs"]
            news = {name: answer[name] or "" for name in texts}
            for name, text in news.items():
                texts[name].append(text)
            if not any(news.values()) or answer["cursor"] == cursor:
                return "".join(texts["stdout"]), "".join(texts["stderr"])
            cursor = answer["cursor"]

    def cancel(self, run_id: str) -> None:
        """Ask for the end of a run that goes on."""
        answer = self._gateway.ask(queries.CANCEL, id=run_id)["terminateRun"]
        kind = answer["__typename"]
        if kind == "TerminateRunSuccess":
            return
        if kind == "RunNotFoundError":
            raise no_run(run_id)
        if kind == "TerminateRunFailure":
            status = answer["run"]["status"]
            raise RefusedError(
                f"The run {run_id[:8]} cannot be cancelled.",
                why=f"It is {status} already." if status in ENDED else f"{answer['message']}.",
                remedy=f"phems run show {run_id[:8]}",
            )
        raise denied(answer, "cancel it")

    def failure(self, run: Run) -> PhemsError:
        """Why a run failed, as an error to raise: RefusedError when it was not let start."""
        short = run.id[:8]
        first = reason = ""
        has_begun = False
        for page in self.follow(run.id, until_end=False):
            for event in page.events:
                if event.type == "STEP_FAILURE" and not first:
                    first = f"step {event.step}: {event.first_line}"
                if event.type == "RUN_FAILURE":
                    reason = event.message
                has_begun = has_begun or event.type == "RUN_START"
        if reason.startswith(REFUSED) and not has_begun:
            return refusal(reason)
        return PhemsError(
            f"The run {short} of {run.job} failed.",
            why=first or reason,
            remedy=f"phems run logs {short}",
        )

    def _target(self, request: Request) -> tuple[str, str, list[str]]:
        """The repository, the job, and the assets by their full keys."""
        entry = self._gateway.ask(queries.JOBS, project=request.project)["workspaceLocationEntryOrError"]
        location = (entry or {}).get("locationOrLoadError")
        if location is None:
            raise NotFoundError(
                f"There is no project {request.project!r} with approved code.",
                why="A project's jobs are known once a code revision is approved and loaded.",
                remedy=f"phems project list; phems code list -p {request.project}",
            )
        if location["__typename"] != "RepositoryLocation":
            raise UnavailableError(
                f"The code of {request.project} is not loaded.",
                why=str(location.get("message", "")).strip()[:1500],
                remedy="phems status",
            )
        jobs = {job["name"]: each for each in location["repositories"] for job in each["jobs"]}
        named = request.job or (ASSET_JOB if request.assets else None)
        if named is None or named not in jobs:
            shown = ", ".join(sorted(name for name in jobs if name != ASSET_JOB)) or "none"
            raise NotFoundError(
                f"There is no job {named!r} in {request.project}." if named else "Which job is not said.",
                why=f"Jobs of {request.project}: {shown}.",
                remedy=f"phems run launch {request.project} JOB, or --asset KEY",
            )
        repository = jobs[named]
        known = ["/".join(node["assetKey"]["path"]) for node in repository["assetNodes"]]
        return repository["name"], named, [_asset(key, known) for key in request.assets]

    def _partition(
        self, selector: Mapping[str, Any], assets: Sequence[Any], key: str
    ) -> tuple[dict[str, str], str | None]:
        """The tags and the run config that the job gives to a partition."""
        job = {
            "pipelineName": selector["jobName"],
            "repositoryName": selector["repositoryName"],
            "repositoryLocationName": selector["repositoryLocationName"],
        }
        answer = self._gateway.ask(queries.PARTITION, job=job, key=key, assets=assets or None)
        found = answer["pipelineOrError"]
        keys = (found.get("partitionKeysOrError") or {}).get("partitionKeys") or []
        partition = found.get("partition") or {}
        tags_answer = partition.get("tagsOrError") or {}
        # Keys of the whole job: what is selected may have none of them.
        if key not in keys or "results" not in tags_answer:
            raise no_partition(key, keys if "results" in tags_answer else ())
        config = partition.get("runConfigOrError") or {}
        plain = {tag["key"]: tag["value"] for tag in tags_answer["results"] if not tag["key"].startswith(".")}
        return plain, config.get("yaml") or None


def _asset(key: str, known: Sequence[str]) -> str:
    found = [each for each in known if each == key] or [each for each in known if each.endswith(f"/{key}")]
    if len(found) == 1:
        return found[0]
    raise NotFoundError(
        f"There is no asset {key!r}." if not found else f"{key!r} names several assets.",
        why=f"Assets: {', '.join(sorted(found or known)) or 'none'}.",
    )
