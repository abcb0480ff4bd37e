"""The one MLflow run of a Dagster run: found or made for the step that first asks, and linked both ways."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Protocol

from dagster import DagsterInstance

from phems.contract.mlflow import ASSET_TAG, RUN_TAG, prefix_of
from phems.engine.stored_names import ASSET_JOB, PARTITION_TAG
from phems.engine.tags import CAPSULE_TAG, CODE_TAG, MLFLOW_TAG, REQUESTER_TAG
from phems.errors import NotFoundError, UnavailableError

# MLflow's pages then begin with models and metrics, not with language models.
_KIND = [{"key": "mlflow.experimentKind", "value": "custom_model_development"}]
_LOCKS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
"""One for each project: a server that hangs holds up its own project alone."""


class AskServer(Protocol):
    """Asks a project's server something of the node's own."""

    def __call__(
        self, project: str, method: str, path: str, question: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Its JSON; None when there is no such thing."""
        ...


def run_of(instance: DagsterInstance, ask: AskServer, project: str, run_id: str) -> dict[str, str]:
    """The MLflow run of a Dagster run; the run that is tagged with it first is the one."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        raise NotFoundError(f"There is no run {run_id}.")
    experiment = _experiment(ask, project, "assets" if run.job_name.startswith(ASSET_JOB) else run.job_name)
    with _LOCKS[project]:  # steps of one run begin side by side
        found = _tagged(ask, project, experiment, run_id)
        if found is None:
            _make(ask, project, experiment, run_id, _tags(project, run))
            # Made by two worker processes at once: the first counts, for both.
            found = _tagged(ask, project, experiment, run_id)
    if found is None:
        raise UnavailableError("MLflow does not know the run that it has just made.")
    link = f"{prefix_of(project)}/#/experiments/{experiment}/runs/{found}"
    if run.tags.get(MLFLOW_TAG) != link:
        instance.add_run_tags(run_id, {MLFLOW_TAG: link})
    return {"run_id": found, "experiment_id": experiment, "link": link}


def _experiment(ask: AskServer, project: str, name: str) -> str:
    found = ask(project, "GET", "experiments/get-by-name", {"experiment_name": name})
    if found is not None:
        return str(found["experiment"]["experiment_id"])
    try:
        made = ask(project, "POST", "experiments/create", {"name": name, "tags": _KIND})
    except UnavailableError:  # somebody else has made it meanwhile
        made = ask(project, "GET", "experiments/get-by-name", {"experiment_name": name})
        made = made and made["experiment"]
    if made is None:
        raise UnavailableError(f"MLflow has no experiment {name}, and makes none.")
    return str(made["experiment_id"])


def _tagged(ask: AskServer, project: str, experiment: str, run_id: str) -> str | None:
    asked = {
        "experiment_ids": [experiment],
        "filter": f"tags.`{RUN_TAG}` = '{run_id}'",
        "order_by": ["attributes.start_time ASC", "attributes.run_id ASC"],
        "max_results": 1,
    }
    runs = (ask(project, "POST", "runs/search", asked) or {}).get("runs") or ()
    return str(runs[0]["info"]["run_id"]) if runs else None


def _make(ask: AskServer, project: str, experiment: str, run_id: str, tags: Mapping[str, str]) -> None:
    asked = {
        "experiment_id": experiment,
        "run_name": f"{tags['phems.job']} {run_id[:8]}",
        "start_time": int(time.time() * 1000),
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    ask(project, "POST", "runs/create", asked)


def _tags(project: str, run: Any) -> dict[str, str]:
    """What the node knows of a run, in MLflow's form."""
    assets = ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ()))
    known = {
        RUN_TAG: run.run_id,
        "phems.project": project,
        "phems.job": "assets" if run.job_name.startswith(ASSET_JOB) else run.job_name,
        ASSET_TAG: assets,
        "phems.partition": run.tags.get(PARTITION_TAG, ""),
        "phems.code_revision": run.tags.get(CODE_TAG, ""),
        "phems.capsule": run.tags.get(CAPSULE_TAG, ""),
        "mlflow.user": run.tags.get(REQUESTER_TAG, ""),
        "mlflow.source.type": "JOB",
        "mlflow.note.content": f"Made by the [run {run.run_id[:8]}](/projects/{project}/runs/{run.run_id}), "
        f"which [Dagster shows](/runs/{run.run_id}) with its steps.",
    }
    return {key: value for key, value in known.items() if value}
