"""The study as Dagster runs it, with no node."""

import json
from pathlib import Path

import pytest
from breast_cancer.definitions import defs
from dagster import DagsterInstance, Definitions


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return defs()


@pytest.mark.usefixtures("source_file")
def test_the_bootstrap_retries_once_and_writes_both_outputs(definitions: Definitions, tmp_path: Path) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("bootstrap_hormone_effect").execute_in_process(
            instance=instance, run_config={"ops": {"plan_resamples": {"config": {"resamples": 3}}}}
        )
    retried = [event.step_key for event in result.all_events if event.event_type_value == "STEP_RESTARTED"]
    assert retried == ["check_completeness"]
    written = tmp_path / "artifacts" / "outputs" / result.run_id
    summary = json.loads((written / "hazard_ratio.json").read_text())
    assert summary["ci_lower"] < summary["hazard_ratio"] < summary["ci_upper"]
    assert len((written / "bootstrap.csv").read_text().splitlines()) == 4


@pytest.mark.usefixtures("source_file")
@pytest.mark.parametrize("name", ["read_other_data", "read_declared_other_data"])
def test_the_other_projects_data_are_not_there(definitions: Definitions, name: str) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def(name).execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
