"""Profile server: steps in worker processes, each with a server of MLflow, on the same tables and files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from tests.folders import open_folder
from tests.fresh_databases import fresh_database
from tests.nodes import RunningNode, running_node, succeeded
from tests.rabbitmq import RabbitMq
from tests.s3_server import S3Server
from tests.server_nodes import ServerSite, server_site

from phems.adapters.postgres.database import Database
from phems.bootstrap.mlflow import MlflowOfSteps
from phems.engine.tags import MLFLOW_TAG

LAB, BUCKET = "lab", "lab-files"
WORKERS, BRANCHES = 2, 4
CODE = """
import dagster as dg
import mlflow

from phems.project.mlflow import MlflowRun


@dg.op(out=dg.DynamicOut())
def branches():
    for number in range(BRANCHES):
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op
def logs(context: dg.OpExecutionContext, number: int, mlflow_run: MlflowRun) -> int:
    with mlflow_run.of(context) as run:
        mlflow.log_param(f"branch_{number}", run.info.run_id)
        mlflow.log_text("x" * number, f"{number}.txt")
    return number


@dg.op
def reads(context: dg.OpExecutionContext, numbers: list[int], mlflow_run: MlflowRun) -> None:
    with mlflow_run.of(context) as run:
        for number in numbers:
            text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{number}.txt")
            assert text == "x" * number
        mlflow.log_metric("read", len(numbers))


@dg.job
def spread():
    reads(branches().map(logs).collect())


defs = dg.Definitions(jobs=[spread], resources={"mlflow_run": MlflowRun()})
"""


@pytest.fixture(scope="module")
def server(s3: S3Server) -> S3Server:
    """With the bucket that the node uses when its machines share no folder."""
    s3.client().create_bucket(Bucket=BUCKET)
    return s3


@pytest.fixture(scope="module", params=["folder", "bucket"])
def site(
    request: pytest.FixtureRequest, postgres_server: Database, rabbitmq: RabbitMq, server: S3Server
) -> Iterator[ServerSite]:
    with (
        open_folder() as folder,
        fresh_database(postgres_server) as database,
        server_site(folder, database, rabbitmq) as made,
        pytest.MonkeyPatch.context() as environment,
    ):
        if request.param == "bucket":
            made.settings["storage"] = {"s3": {"bucket": BUCKET, "endpoint": server.endpoint}}
            for name, value in server.environment.items():
                environment.setenv(name, value)
        # Each worker takes fewer steps than there are branches.
        queue = {"concurrency": WORKERS, "runs": 5}
        files = {"lab/definitions.py": CODE.replace("BRANCHES", str(BRANCHES)), "lab/__init__.py": ""}
        made.add_project(LAB, files, mlflow=True, queue=queue)
        admin = database.address("admin").render_as_string(hide_password=False)
        made.phems("db", "init", PHEMS_DB_ADMIN=admin)
        yield made


@pytest.fixture(scope="module")
def node(site: ServerSite, rabbitmq: RabbitMq) -> Iterator[RunningNode]:
    with running_node(site) as running:
        running.ready(LAB, running.approve(LAB))
        site.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
        for _ in range(WORKERS):
            site.start_worker()
        yield running
        site.stop_workers()


def test_steps_in_several_processes_share_a_run_and_its_files(
    node: RunningNode, site: ServerSite, server: S3Server
) -> None:
    """Otherwise each worker had experiments of its own, or a run would lie in MLflow as several."""
    run = node.run("spread", project=LAB, seconds=240)
    assert succeeded(run), node.story(run.run_id) + site.worker_log()
    serving = node.serving.node
    ask = partial(MlflowOfSteps(serving.mlflow, lambda: serving.spec).ask, LAB)
    experiment, found = (run.tags[MLFLOW_TAG].split("/")[each] for each in (-3, -1))
    told = ask("GET", "runs/get", {"run_id": found})
    assert told is not None
    data = told["run"]["data"]
    logged = {each["key"]: each["value"] for each in data["params"]}
    assert logged == {f"branch_{number}": found for number in range(BRANCHES)}
    assert [(each["key"], each["value"]) for each in data["metrics"]] == [("read", BRANCHES)]
    runs = ask("POST", "runs/search", {"experiment_ids": [experiment]})
    assert runs is not None
    assert len(runs["runs"]) == 1
    # Dagster's default IO manager: a value that lay in one worker's /tmp would be found by no other.
    area = node.artifact(f"io/runs/{run.run_id}", LAB)
    assert {path.name for path in area.joinpath("branches", "result").iterdir()} == {
        str(number) for number in range(BRANCHES)
    }
    texts = {f"{number}.txt" for number in range(BRANCHES)}
    listed = ask("GET", "artifacts/list", {"run_id": found})
    assert listed is not None
    assert {each["path"] for each in listed["files"]} == texts
    in_folder = {path.name for path in (site.node_folder / "data" / "mlflow" / LAB).rglob("*.txt")}
    objects = server.client().list_objects_v2(Bucket=BUCKET, Prefix=f".mlflow/{LAB}/").get("Contents", [])
    in_bucket = {each["Key"].rpartition("/")[2] for each in objects}
    assert (in_folder, in_bucket) == ((set(), texts) if "storage" in site.settings else (texts, set()))
