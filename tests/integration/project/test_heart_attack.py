"""The heart-attack project under plain Dagster, on the real data: right numbers, three outputs, no node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from phems.contract.runtime import current_runtime

pytestmark = pytest.mark.integration
DAYS = [0, 180, 365, 730, 1095, 1460, 1825]
FLAGS = {
    "congestive heart failure": ("chf", ["no heart failure", "heart failure"]),
    "cardiogenic shock": ("sho", ["no shock", "shock"]),
    "sex": ("gender", ["male", "female"]),
}


@pytest.fixture
def heart_attack(definitions: dict[str, dg.Definitions]) -> dg.Definitions:
    assert current_runtime() is None
    return definitions["heart-attack"]


@pytest.fixture
def patients(sources: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(sources / "whas500.parquet").to_pandas()
    return frame


def _analysis(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    result = definitions.resolve_job_def("analysis").execute_in_process(instance=instance)
    assert result.success
    return result


def _survival(patients: pd.DataFrame, day: float) -> float:
    """Kaplan and Meier's product, written out."""
    product = 1.0
    for time in sorted(set(patients.loc[patients["fstat"], "lenfol"])):
        if time <= day:
            dying = (patients["fstat"] & (patients["lenfol"] == time)).sum()
            product *= 1 - dying / (patients["lenfol"] >= time).sum()
    return product


def test_the_analysis_passes_its_checks_and_writes_three_outputs(
    heart_attack: dg.Definitions, instance: dg.DagsterInstance, laptop: Path
) -> None:
    """There would be nothing to release."""
    result = _analysis(heart_attack, instance)
    assert {check.check_name for check in result.get_asset_check_evaluations() if check.passed} == {
        "cohort_has_enough_patients",
        "follow_up_is_positive",
        "nothing_is_missing",
        "concordance_is_above_0_7",
        "no_small_numbers",
    }
    outputs = laptop / "outputs" / result.run_id
    assert sorted(path.name for path in outputs.iterdir()) == [
        "cox_coefficients.json",
        "km_curve.png",
        "km_table.csv",
    ]
    assert (outputs / "km_curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_survival_table_is_right_and_hides_small_numbers(
    heart_attack: dg.Definitions, instance: dg.DagsterInstance, laptop: Path, patients: pd.DataFrame
) -> None:
    """A wrong curve, or a count of few patients, would be released."""
    result = _analysis(heart_attack, instance)
    table = pd.read_csv(laptop / "outputs" / result.run_id / "km_table.csv").set_index(
        ["stratum", "group", "day"]
    )
    assert len(table) == 6 * len(DAYS)
    for stratum, (column, groups) in FLAGS.items():
        for value, group in enumerate(groups):
            of_group = patients[patients[column] == value]
            for day in DAYS:
                row, at_risk = table.loc[(stratum, group, day)], (of_group["lenfol"] >= day).sum()
                if at_risk < 10:
                    assert row["suppressed"]
                    assert row.drop("suppressed").isna().all()
                else:
                    assert row["survival"] == pytest.approx(_survival(of_group, day), abs=0.0051)
                    assert abs(row["at_risk"] - at_risk) <= 5
                    assert row["at_risk"] % 10 == 0
    assert table["suppressed"].sum() == 6


def test_the_model_is_at_the_top_of_its_likelihood(
    heart_attack: dg.Definitions, instance: dg.DagsterInstance, laptop: Path, patients: pd.DataFrame
) -> None:
    """Wrong hazard ratios would be released."""
    result = _analysis(heart_attack, instance)
    model = json.loads((laptop / "outputs" / result.run_id / "cox_coefficients.json").read_text())
    assert (model["patients"], model["deaths"]) == (500, 220)
    assert model["concordance"] == pytest.approx(0.784, abs=0.002)
    columns = {
        "age": "age",
        "bmi": "bmi",
        "diastolic_pressure": "diasbp",
        "female": "gender",
        "heart_failure": "chf",
        "heart_rate": "hr",
        "shock": "sho",
    }
    assert set(model["covariates"]) == set(columns)
    x = patients[[columns[name] for name in model["covariates"]]].to_numpy(dtype=float)
    beta = np.array([covariate["coefficient"] for covariate in model["covariates"].values()])
    errors = np.array([covariate["standard_error"] for covariate in model["covariates"].values()])
    at_top = _log_likelihood(patients, x, beta)
    # Up to rounding the top is flat, and two standard errors away in one coefficient it is at least as
    # far down as a parabola with that width says: exactly two, were the others held.
    for number, error in enumerate(errors):
        for away in (-2, 2):
            moved = beta.copy()
            moved[number] += away * error
            assert at_top - _log_likelihood(patients, x, moved) > 1.5


def _log_likelihood(patients: pd.DataFrame, x: Any, beta: Any) -> float:
    """Cox's partial likelihood after Breslow, written out."""
    scores, days = x @ beta, patients["lenfol"].to_numpy()
    died = np.flatnonzero(patients["fstat"])
    return float(sum(scores[one] - np.log(np.exp(scores[days >= days[one]]).sum()) for one in died))


def test_the_same_run_again_writes_the_same_bytes(
    heart_attack: dg.Definitions, instance: dg.DagsterInstance, laptop: Path
) -> None:
    """A reviewer could not tell a repeated run from a changed result."""
    first, second = (laptop / "outputs" / _analysis(heart_attack, instance).run_id for _ in range(2))
    for path in first.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_cohort_asks_for_the_days_quality_report(
    heart_attack: dg.Definitions, instance: dg.DagsterInstance, laptop: Path
) -> None:
    """The sensor would stay silent, or ask for a day that there is not."""
    _analysis(heart_attack, instance)
    sensor: Any = heart_attack.resolve_sensor_def("quality_after_cohort")
    with dg.build_sensor_context(instance=instance, definitions=heart_attack) as context:
        (request,) = sensor.evaluate_tick(context).run_requests
    quality = heart_attack.resolve_job_def("quality")
    result = quality.execute_in_process(instance=instance, partition_key=request.partition_key)
    report = result.output_for_node("heart_attack__daily_quality_report").set_index("column")
    assert report["values"].eq(500).all()
    assert report["out_of_range"].sum() == 0
    kept = laptop / "io/assets/heart_attack/daily_quality_report"
    assert (kept / f"partition={request.partition_key}").is_file()


def test_the_schedule_asks_for_the_report_of_its_day(heart_attack: dg.Definitions) -> None:
    """The morning's report would be of no day, or of the wrong one."""
    schedule: Any = heart_attack.resolve_schedule_def("quality_every_morning")
    morning = pd.Timestamp("2026-03-02T05:30", tz="UTC").to_pydatetime()
    context = dg.build_schedule_context(
        scheduled_execution_time=morning, repository_def=heart_attack.get_repository_def()
    )
    (request,) = schedule.evaluate_tick(context).run_requests
    assert request.partition_key == "2026-03-02"
    assert schedule.cron_schedule == "30 5 * * *"
