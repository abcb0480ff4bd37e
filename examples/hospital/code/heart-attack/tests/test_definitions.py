"""The study as Dagster runs it, with no node."""

import json
from pathlib import Path

import pandas as pd
import pytest
from dagster import DagsterInstance, Definitions
from heart_attack.definitions import defs


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return defs()


@pytest.mark.usefixtures("source_file")
def test_the_analysis_writes_the_three_outputs(definitions: Definitions, tmp_path: Path) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("analysis").execute_in_process(instance=instance)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    written = tmp_path / "artifacts" / "outputs" / result.run_id
    assert sorted(path.name for path in written.iterdir()) == [
        "cox_coefficients.json",
        "km_curve.png",
        "km_table.csv",
    ]
    model = json.loads((written / "cox_coefficients.json").read_text())
    assert model["covariates"]["heart_failure"]["hazard_ratio"] > 1


def test_impossible_follow_up_stops_the_analysis(
    definitions: Definitions, source_file: Path, source: pd.DataFrame
) -> None:
    source.loc[3, "lenfol"] = -1
    source.to_parquet(source_file)
    with DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("analysis").execute_in_process(
            instance=instance, raise_on_error=False
        )
    assert not result.success
    assert {check.check_name for check in result.get_asset_check_evaluations() if not check.passed} == {
        "follow_up_is_positive"
    }


@pytest.mark.usefixtures("source_file")
def test_the_quality_report_is_kept_by_day(definitions: Definitions) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("quality").execute_in_process(
            instance=instance, partition_key="2025-01-02"
        )
    assert len(result.output_for_node("heart_attack__daily_quality_report")) == 11
