"""One MLflow run for each Dagster run, linked both ways. It needs MLflow's client in the project's Python.

    from phems.project.mlflow import MlflowRun

    @dg.asset
    def model(context: dg.AssetExecutionContext, mlflow_run: MlflowRun) -> None:
        with mlflow_run.of(context):
            mlflow.sklearn.autolog()
            ...

MLflow's own client works without it too: a node whose project has MLflow tells it where the server is.
"""
# No `from __future__ import annotations` here: it breaks Dagster's config classes.

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from dagster import ConfigurableResource, MetadataValue

from phems.contract.mlflow import ASSET_TAG, MODELS, RUN_TAG
from phems.contract.runtime import current_runtime
from phems.errors import InputError
from phems.project.outputs import outputs

try:
    import mlflow  # here, so that a host has it loaded before it forks
except ImportError as error:
    raise InputError(
        "MLflow's client is not installed where the project's code runs.",
        why="phems.project.mlflow needs it.",
        remedy="Add mlflow-skinny to the packages of the project, or install phems-node[mlflow].",
    ) from error

INERT = (".safetensors", ".onnx", ".json")
"""What can be loaded without running anything."""


class StepContext(Protocol):
    """What is needed of a Dagster context: any op or asset context has it."""

    @property
    def run_id(self) -> str:
        """The id of the run that the step belongs to."""
        ...

    def add_output_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Say something of what the step makes."""
        ...


class MlflowRun(ConfigurableResource[Any]):
    """The MLflow run of the Dagster run that a step belongs to."""

    @contextlib.contextmanager
    def of(self, context: StepContext) -> Iterator[mlflow.ActiveRun]:
        """Log to it in a `with` block; what the step makes then carries its link, and what was measured.

        All steps of a run share it. In a node, its tags name run, job, asset, partition, code revision and
        capsule; on a laptop, the run alone.
        """
        of_op: Any = getattr(context, "op_execution_context", context)
        run_id, link = _find(of_op.run_id)
        asset = _asset_of(context)
        with mlflow.start_run(run_id=run_id) as active:
            before = dict(active.data.metrics)
            assets = {*filter(None, active.data.tags.get(ASSET_TAG, "").split(", ")), *asset}
            if assets:
                mlflow.set_tag(ASSET_TAG, ", ".join(sorted(assets)))
            yield active
        after = mlflow.get_run(active.info.run_id).data.metrics
        measured = {name: value for name, value in after.items() if before.get(name) != value}
        context.add_output_metadata(
            {
                **({"mlflow": MetadataValue.url(link)} if link else {}),
                **{f"mlflow/{name}": MetadataValue.float(value) for name, value in measured.items()},
            }
        )

    def register(
        self,
        context: StepContext,
        name: str,
        files: Mapping[str, bytes],
        *,
        disclosure: Mapping[str, Any] | None = None,
    ) -> str:
        """Register a version of a model, made of files that can leave the node; gives `NAME/VERSION`.

        Call it within `of`. `files` are safetensors, ONNX or JSON by name: what can be loaded without running
        anything. They are in MLflow, and on record as outputs, of which a release can be asked for:
        `phems release request --model NAME/VERSION`. `disclosure` is what `Outputs.declare` takes, for each
        file. Raises `InputError` for a name or a file that may not be.
        """
        _check_model(name, files)
        active = mlflow.active_run()
        if active is None:
            raise InputError("No MLflow run is under way.", remedy="with mlflow_run.of(context): ...")
        folder = f"{MODELS}/{name}"
        with tempfile.TemporaryDirectory() as made:
            for file, content in files.items():
                (Path(made) / file).write_bytes(content)
            mlflow.log_artifacts(made, folder)
        client = mlflow.MlflowClient()
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        source = mlflow.get_artifact_uri(folder)
        version = client.create_model_version(name, source, run_id=active.info.run_id).version
        for file, content in files.items():
            path = f"{folder}/{version}/{file}"
            with outputs.open_binary(context, path, disclosure=disclosure) as written:
                written.write(content)
        return f"{name}/{version}"


def _check_model(name: str, files: Mapping[str, bytes]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise InputError(
            f"A model cannot be called {name!r}.",
            why="a name has letters, digits, dots, hyphens, underscores.",
        )
    for file in files:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", file) or not file.endswith(INERT):
            raise InputError(
                f"{file!r} cannot be a file of a registered model.",
                why=f"a model leaves the node as {', '.join(INERT)}: a pickle runs code when it is loaded.",
                remedy="Write the numbers of the model in one of these.",
            )
    if not files:
        raise InputError(f"The model {name} has no files.", remedy='Give {"model.safetensors": ...}')


def _find(dagster_run_id: str) -> tuple[str, str | None]:
    """The id of the MLflow run, and the address of its page."""
    runtime = current_runtime()
    if runtime is not None and runtime.mlflow is not None:
        found = runtime.mlflow.run()
        return found["run_id"], found["link"]
    known = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"tags.`{RUN_TAG}` = '{dagster_run_id}'",
        output_format="list",
    )
    if known:
        return known[0].info.run_id, None
    with mlflow.start_run(tags={RUN_TAG: dagster_run_id}) as made:
        return made.info.run_id, None


def _asset_of(context: Any) -> set[str]:
    keys = context.selected_asset_keys if getattr(context, "has_assets_def", False) else ()
    return {key.to_user_string() for key in keys}
