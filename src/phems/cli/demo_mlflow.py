"""The demo's model in MLflow: fitted in the sandbox, where `mlflow.autolog` logs it through the wall.

Its run is launched before it is told of: the project's MLflow server starts meanwhile.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from phems.cli.demo_acts import Story, ended, launch

PROJECT, JOB = "heart-attack", "risk"
API = f"/mlflow/{PROJECT}/api/2.0/mlflow"


def launch_risk(story: Story) -> None:
    """Ask for the run."""
    story.risk = launch(story, "ana", PROJECT, JOB)


def run(story: Story) -> None:
    """What came of it, as MLflow has it; and that it has it for nobody else."""
    done = ended(story, "ana", JOB, story.risk)
    if done["status"] != "SUCCESS":
        story.teller.fail(f"{JOB} ran", seen=done)
    _, experiment = story.node.get("ana", f"{API}/experiments/get-by-name?experiment_name={JOB}")
    number = experiment["experiment"]["experiment_id"] if experiment else ""
    _, found = story.node.post("ana", f"{API}/runs/search", {"experiment_ids": [number]})
    (tracked,) = (found or {}).get("runs") or [{}]
    logged = {name: _pairs(tracked, name) for name in ("params", "metrics", "tags")}
    accuracy = logged["metrics"].get("accuracy", 0)
    story.teller.claim(
        f"mlflow.autolog logged {len(logged['params'])} parameters of a scikit-learn model, with no network "
        f"(accuracy {accuracy:.2f})",
        holds=logged["params"].get("logisticregression__C") == "0.5" and accuracy > 0,
        seen=tracked,
    )
    story.teller.claim(
        "its MLflow run names the run, the code revision and the capsule that it comes from",
        holds=logged["tags"].get("phems.run_id") == story.risk
        and {"phems.code_revision", "phems.capsule"} <= set(logged["tags"]),
        seen=logged["tags"],
    )
    status, _ = story.node.get("ben", f"{API}/experiments/get-by-name?experiment_name={JOB}")
    story.teller.claim(
        "to ben, of the other project, there is no such server",
        holds=status == HTTPStatus.NOT_FOUND,
        seen=status,
    )


def _pairs(tracked: dict[str, Any], name: str) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in tracked.get("data", {}).get(name, ())}
