"""The example's Code Repos under `dagster dev` and `dg dev`, on a laptop without a node."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from benchmarks.graphql import GraphQLClient
from benchmarks.side import free_port, wait_for

HOSPITAL = Path(__file__).parents[3] / "examples" / "hospital"
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
SECONDS = 420
# Nothing here is about Dagster's own way to start a process for each step.
IN_ONE_PROCESS = {"execution": {"config": {"in_process": {}}}}
_RUN = """query($id: ID!) { runOrError(runId: $id) { __typename ... on Run { status
  eventConnection { events { ... on MessageEvent { message } } } } } }"""


@contextmanager
def _started(words: list[str], folder: Path, environment: dict[str, str], log: Path) -> Iterator[int]:
    """The command, with its web server on a free port; whatever it starts ends with the block."""
    port = free_port()
    program = Path(sys.executable).with_name(words[0])
    with log.open("wb") as said:
        process = psutil.Popen(
            [program, *words[1:], "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield port
    finally:
        tree = process.children(recursive=True)
        process.terminate()
        with suppress(psutil.TimeoutExpired):
            process.wait(10)
        for left in [process, *tree]:
            with suppress(psutil.NoSuchProcess):
                left.kill()


@pytest.mark.parametrize(
    ("command", "project", "job", "written"),
    [
        (
            ["dg", "dev", "--use-active-venv"],
            "heart-attack",
            "analysis",
            {"cox_coefficients.json", "km_curve.png", "km_table.csv"},
        ),
        (
            ["dagster", "dev", "-m", "breast_cancer.definitions"],
            "breast-cancer",
            "bootstrap_hormone_effect",
            {"bootstrap.csv", "hazard_ratio.json"},
        ),
    ],
    ids=["dg dev", "dagster dev"],
)
def test_an_author_runs_the_same_code_without_a_node(
    sources: Path, tmp_path: Path, command: list[str], project: str, job: str, written: set[str]
) -> None:
    """Otherwise an author can try nothing before it is approved: every typing error costs a review."""
    code = tmp_path / project
    shutil.copytree(
        HOSPITAL / "code" / project, code, ignore=shutil.ignore_patterns("__pycache__", ".*cache")
    )
    home, artifacts = tmp_path / "home", tmp_path / "artifacts"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PHEMS_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
        "PYTHONPATH": "src",
        "HOME": str(home),
        "DAGSTER_HOME": str(home),
        "PHEMS_DATA": str(sources),
        "PHEMS_ARTIFACTS": str(artifacts),
    }
    log = tmp_path / "dev.log"
    with _started(command, code, environment, log) as port:
        client = GraphQLClient(f"http://127.0.0.1:{port}", {})
        location = "heart-attack" if command[0] == "dg" else "breast_cancer.definitions"
        client.wait_until_loaded({location}, SECONDS)
        run_id = client.launch(location, job, IN_ONE_PROCESS)

        def run() -> Any:
            return client.ask(_RUN, {"id": run_id})["runOrError"]

        wait_for(lambda: run()["status"] in {"SUCCESS", "FAILURE", "CANCELED"}, f"the end of {job}", SECONDS)
        assert run()["status"] == "SUCCESS", run()
    assert {path.name for path in (artifacts / "outputs" / run_id).iterdir()} == written
