"""Project code logs to its project's MLflow server through the wall, with MLflow's own client unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from tests.nodes import ANALYST, RunningNode, running_node, succeeded, temporary_site

from phems.adapters.postgres.mlflow_schemas import address_of
from phems.adapters.secret_keys import load_or_create_secret
from phems.bootstrap import Node, open_node
from phems.bootstrap.backup import backup_to, backups_of
from phems.bootstrap.mlflow import MlflowOfSteps
from phems.bootstrap.restore import restore
from phems.bootstrap.usage import usage_of
from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.release_states import ReleaseState
from phems.engine.tags import CAPSULE_TAG, CODE_TAG, MLFLOW_TAG
from phems.errors import NotFoundError
from phems.services.release_asks import Case, Choice

LAB, OTHER = "lab", "other"
CODE = """
import json
import os
import urllib.error
import urllib.request

import dagster as dg
import mlflow
from sklearn.linear_model import LogisticRegression

from phems.project import outputs
from phems.project.mlflow import MlflowRun

BIG = 3 * 2**20 + 7


@dg.asset(key_prefix="lab", partitions_def=dg.StaticPartitionsDefinition(["north"]))
def model(context: dg.AssetExecutionContext, mlflow_run: MlflowRun) -> None:
    with mlflow_run.of(context):
        mlflow.sklearn.autolog(log_datasets=False)
        fitted = LogisticRegression(C=0.5).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
        mlflow.log_metric("accuracy", fitted.score([[0.0], [3.0]], [0, 1]))


@dg.op
def other_step(context: dg.OpExecutionContext, mlflow_run: MlflowRun) -> None:
    with mlflow_run.of(context) as run:
        mlflow.log_param("second", run.info.run_id)
    with open("/tmp/big.bin", "wb") as file:
        file.write(bytes(range(256)) * (BIG // 256) + b"x" * (BIG % 256))
    open("/tmp/empty.txt", "w").close()
    mlflow.set_experiment("plain")
    with mlflow.start_run() as plain:
        mlflow.log_artifact("/tmp/big.bin", "data")
        mlflow.log_artifact("/tmp/empty.txt")
        back = mlflow.artifacts.download_artifacts(run_id=plain.info.run_id, artifact_path="data/big.bin")
        assert open(back, "rb").read() == open("/tmp/big.bin", "rb").read()
        assert {item.path for item in mlflow.artifacts.list_artifacts(run_id=plain.info.run_id)} == {
            "data", "empty.txt"
        }


@dg.op
def first_step(context: dg.OpExecutionContext, mlflow_run: MlflowRun) -> int:
    with mlflow_run.of(context) as run:
        mlflow.log_param("first", run.info.run_id)
    return 1


@dg.op(ins={"after": dg.In(dg.Nothing)})
def tells(context: dg.OpExecutionContext) -> None:
    found = {name: _status(*asked) for name, asked in ASKED.items()}
    found["uri"] = os.environ["MLFLOW_TRACKING_URI"].rpartition("/")[2]
    outputs.write_json(context, "found.json", found)


ASKED = {
    "health": ("GET", "/mlflow/lab/health"),
    "another project": ("GET", "/mlflow/other/health"),
    "climbs": ("GET", "/mlflow/lab/api/2.0/mlflow-artifacts/artifacts/%2e%2e/x"),
    "climbs by query": ("GET", "/mlflow/lab/api/2.0/mlflow/artifacts/list?run_id=x&path=../.."),
    "webhooks": ("GET", "/mlflow/lab/api/2.0/mlflow/webhooks"),
    "deletes": ("POST", "/mlflow/lab/api/2.0/mlflow/experiments/delete"),
    "pages": ("GET", "/mlflow/lab/"),
    "too large": ("PUT", "/mlflow/lab/api/2.0/mlflow-artifacts/artifacts/x", {"content-length": str(2**40)}),
    "no token": ("GET", "/mlflow/lab/health", {"authorization": "Bearer none"}),
}


def _status(method, path, headers={}):
    import http.client
    from urllib.parse import urlsplit

    peer = http.client.HTTPConnection(urlsplit(os.environ["MLFLOW_TRACKING_URI"]).netloc)
    token = {"authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]}
    peer.putrequest(method, path)
    for name, value in {**token, **headers}.items():
        peer.putheader(name, value)
    peer.endheaders()
    return peer.getresponse().status


@dg.op
def registers(context: dg.OpExecutionContext, mlflow_run: MlflowRun) -> None:
    with mlflow_run.of(context) as run:
        name = mlflow_run.register(
            context,
            "risk",
            {"weights.json": b'{"weights": [0.5, 0.25]}'},
            disclosure={"model": {"parameters": 2, "observations": 400}},
        )
        assert name == "risk/1"
        try:
            mlflow_run.register(context, "risk", {"model.pkl": b"cos"})
        except Exception as error:
            assert "pickle" in str(error)
        else:
            raise AssertionError("a pickle was registered")
        # What MLflow's client registers by itself stays in MLflow.
        source = mlflow.get_artifact_uri("models/risk")
        version = mlflow.MlflowClient().create_model_version("risk", source, run_id=run.info.run_id)
        assert version.version == "2"


@dg.job
def registering() -> None:
    registers()


@dg.job
def several() -> None:
    first_step()
    other_step()


@dg.job
def attack() -> None:
    tells()


defs = dg.Definitions(
    assets=[model],
    jobs=[several, registering, attack, dg.define_asset_job("train", selection="*")],
    resources={"mlflow_run": MlflowRun()},
)
"""
NO_CODE = "import dagster as dg\n\ndefs = dg.Definitions()\n"


@pytest.fixture(scope="module")
def node() -> Iterator[RunningNode]:
    """Two projects with MLflow; the second one's server is never asked for."""
    with temporary_site() as site:
        for name, code in ((LAB, CODE), (OTHER, NO_CODE)):
            site.add_project(name, {f"{name}/definitions.py": code, f"{name}/__init__.py": ""}, mlflow=True)
        with running_node(site) as running:
            digest = running.approve(LAB)
            running.ready(LAB, digest)
            yield running


def _asked(node: RunningNode, path: str, question: dict[str, Any]) -> Any:
    of_steps = MlflowOfSteps(node.serving.node.mlflow, lambda: node.serving.node.spec)
    return of_steps.ask(LAB, "POST" if path.endswith("search") else "GET", path, question)


def test_an_asset_trained_in_the_sandbox_is_one_linked_run(node: RunningNode) -> None:
    """Otherwise nobody could tell which run, code and data a model comes from."""
    run = node.run("train", project=LAB, tags={"dagster/partition": "north"}, seconds=120)
    assert succeeded(run), node.story(run.run_id)
    link = run.tags[MLFLOW_TAG]
    experiment, found = link.split("/")[-3], link.split("/")[-1]
    told = _asked(node, "runs/get", {"run_id": found})["run"]
    tags = {tag["key"]: tag["value"] for tag in told["data"]["tags"]}
    assert link == f"/mlflow/{LAB}/#/experiments/{experiment}/runs/{found}"
    assert tags["phems.run_id"] == run.run_id
    assert (tags["phems.job"], tags["phems.asset"], tags["phems.partition"]) == (
        "train",
        "lab/model",
        "north",
    )
    assert tags["phems.code_revision"] == run.tags[CODE_TAG]
    assert tags["phems.capsule"] == run.tags[CAPSULE_TAG]
    assert f"/runs/{run.run_id}" in tags["mlflow.note.content"]
    assert {"key": "C", "value": "0.5"} in told["data"]["params"]
    assert told["info"]["status"] == "FINISHED"
    made = next(e for e in node.events(run.run_id) if e.event_type_value == "ASSET_MATERIALIZATION")
    metadata = made.step_materialization_data.materialization.metadata
    assert metadata["mlflow"].value == link
    assert metadata["mlflow/accuracy"].value == 1.0


def test_steps_side_by_side_share_a_run_and_large_files_pass(node: RunningNode) -> None:
    """Otherwise a run with ten steps would lie in MLflow as ten that nothing holds together."""
    run = node.run("several", project=LAB, seconds=120)
    assert succeeded(run), node.story(run.run_id)
    found = run.tags[MLFLOW_TAG].split("/")[-1]
    told = _asked(node, "runs/get", {"run_id": found})["run"]
    assert {each["key"]: each["value"] for each in told["data"]["params"]} == {
        "first": found,
        "second": found,
    }


def test_a_registered_model_leaves_by_a_release_request_alone(node: RunningNode) -> None:
    """Otherwise a model, which may remember patients, would leave unseen, or run code where it is loaded."""
    run = node.run("registering", project=LAB)
    assert succeeded(run), node.story(run.run_id)
    releases = node.serving.node.releases
    case = Case("A model", "Two weights of 400 patients")
    view = releases.request(ANALYST, LAB, Choice(model="risk/1"), case)
    (file,) = view.request.files
    assert file.path == f"outputs/{run.run_id}/models/risk/1/weights.json"
    assert view.request.state is ReleaseState.SUBMITTED
    assert view.report is not None
    assert {each.check for each in view.report.findings if each.path == file.path} >= {"file-type", "model"}
    for missing in ("risk/2", "risk/3", "risk"):
        with pytest.raises(NotFoundError, match="no model"):
            releases.request(ANALYST, LAB, Choice(model=missing), case)


@pytest.mark.attack
def test_a_step_reaches_its_own_project_and_what_it_needs(node: RunningNode) -> None:
    """Otherwise project code would read another's models, or have MLflow do what nobody looks at."""
    run = node.run("attack", project=LAB)
    assert succeeded(run), node.story(run.run_id)
    found = json.loads(node.artifact(f"outputs/{run.run_id}/found.json", LAB).read_text())
    assert found == {
        "uri": LAB,
        "health": 200,
        "another project": 403,
        "climbs": 400,
        "climbs by query": 400,
        "webhooks": 403,
        "deletes": 403,
        "pages": 403,
        "too large": 403,
        "no token": 400,
    }
    assert node.serving.node.mlflow.running() == [LAB]
    with node.serving.node.governance.transaction() as work:
        refused = [each.subject for each in work.audit.entries() if each.result == "refused"]
    assert set(refused) == {"mlflow.ask"}


def test_a_server_that_nobody_asks_ends_and_the_next_question_starts_it(node: RunningNode) -> None:
    """Otherwise each project that was once looked at would hold 300 MB for good."""
    servers = node.serving.node.mlflow
    with servers.in_use(LAB) as socket:
        assert socket.exists()
    tenure = servers.enter(LAB)
    tenure.leave()
    tenure._idle_seconds = 0
    node.wait_for(lambda: servers.running() == [], "the end of the idle server")
    found = _asked(node, "experiments/get-by-name", {"experiment_name": "Default"})
    assert found["experiment"]["name"] == "Default"


def test_what_was_logged_counts_as_storage_of_its_project(node: RunningNode) -> None:
    """Otherwise a project with a gigabyte of models would be accounted as one with none."""
    assert succeeded(node.run("several", project=LAB, seconds=120))
    today = datetime.now(UTC).date()
    lab, other = usage_of(node.serving.node).of([LAB, OTHER], today, today)
    assert lab.storage["mlflow"] > 3 * 2**20  # the large file alone has that
    assert lab.storage_bytes >= lab.storage["mlflow"] + lab.storage["artifacts"]
    assert other.storage["mlflow"] == 0


def test_a_restored_node_has_what_was_logged(node: RunningNode) -> None:
    """Otherwise a backup would keep the files of models, and lose what they are."""
    assert succeeded(node.run("several", project=LAB, seconds=120))
    serving = node.serving
    target = node.site.folder / "backup"
    backups_of(serving.node).make(LOCAL_OPERATOR, backup_to(serving.node, target, None), lambda _line: None)
    restore(target, node.site.folder / "restored")
    with open_node(node.site.folder / "restored") as restored:
        assert _logged(restored) == _logged(serving.node)


def _logged(node: Node) -> tuple[int, list[str]]:
    """How many parameters a node's MLflow has of the project, and which files."""
    address = address_of(node.database, LAB, load_or_create_secret(node.paths.mlflow_key))
    engine = create_engine(address, poolclass=NullPool)
    with engine.connect() as connection:
        parameters = connection.execute(text("SELECT count(*) FROM params")).scalar_one()
        assert parameters > 0
    return parameters, sorted(path.name for path in node.paths.mlflow(LAB).rglob("*"))
