"""What is MLflow's own, and private, in how its server is started: an upgrade must not change it unseen."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import mlflow
import mlflow.db
import pytest
from mlflow.environment_variables import (
    MLFLOW_DISABLE_TELEMETRY,
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION,
    MLFLOW_SERVER_X_FRAME_OPTIONS,
    MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW,
    MLFLOW_SQLALCHEMYSTORE_POOL_SIZE,
)
from sqlalchemy import make_url

from phems.adapters.mlflow import process
from phems.adapters.mlflow.process import ServerPlan, ServerProcess, arguments, check_installed
from phems.adapters.sandbox import walls
from phems.errors import InputError, UnavailableError
from phems.mlflow_server.__main__ import FIXED, SETTINGS

SOURCE = Path(inspect.getfile(mlflow)).parent


def plan_in(folder: Path) -> ServerPlan:
    return ServerPlan(
        project="lab",
        prefix="/mlflow/lab",
        run_dir=folder / "run",
        artifacts=folder / "artifacts",
        database_dir=folder / "database",
        database=make_url("postgresql://role:password@/phems"),
        log_file=folder / "log",
    )


def test_the_settings_are_those_that_the_server_reads() -> None:
    """Otherwise, after an upgrade, it would keep its runs in a folder of the sandbox, and lose them."""
    constants = (SOURCE / "server" / "constants.py").read_text() + (SOURCE / "server/handlers.py").read_text()
    for name in ("_MLFLOW_SERVER_ARTIFACT_ROOT", "_MLFLOW_SERVER_SERVE_ARTIFACTS", *SETTINGS.values()):
        assert f'"{name}"' in constants, name
    known = (
        MLFLOW_DISABLE_TELEMETRY,
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION,
        MLFLOW_SERVER_X_FRAME_OPTIONS,
        MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW,
        MLFLOW_SQLALCHEMYSTORE_POOL_SIZE,
    )
    assert {variable.name for variable in known} <= set(FIXED)
    assert callable(mlflow.db.upgrade.main)


def test_without_the_extra_it_is_said_which_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise who switched it on would read a traceback of Python's imports."""
    check_installed("lab")
    monkeypatch.setattr(process, "EXTRA", "mlflow-that-nobody-has")
    with pytest.raises(InputError, match=r"projects.lab.mlflow is on[\s\S]*the extra mlflow"):
        check_installed("lab")


def test_where_it_needs_a_sandbox_and_none_can_be_made_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise, in a pod, it answers project code with the rights of the node's own process."""
    monkeypatch.setattr(walls, "find", lambda: None)
    with pytest.raises(UnavailableError, match=r"project lab needs a sandbox[\s\S]*control.namespaces"):
        ServerProcess(replace(plan_in(tmp_path), needs_sandbox=True))
    assert list(tmp_path.iterdir()) == []


def test_the_sandbox_of_a_server_shows_its_own_things_alone(tmp_path: Path) -> None:
    """Otherwise what MLflow can be made to read would be the node's, or another project's."""
    bwrap = walls.find()
    assert bwrap is not None
    own = ("run", "artifacts", "database")
    words = arguments(plan_in(tmp_path), Path("/usr/bin/python3"), bwrap)
    shown = [words[at + 1] for at, word in enumerate(words) if word in {"--bind", "--ro-bind"}]
    assert [path for path in shown if path.startswith(str(tmp_path))] == [
        str(tmp_path / name) for name in own
    ]
    assert "--unshare-all" in words
    assert not any("password" in word for word in words)
