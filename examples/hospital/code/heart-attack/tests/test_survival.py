"""The statistics, against what can be worked out by hand or by brute force."""

import numpy as np
import pandas as pd
import pytest
from heart_attack.cox import fit_cox, information
from heart_attack.quality import quality_of
from heart_attack.study import COVARIATES, TABLE_DAYS, cohort_of
from heart_attack.survival import at_days, km_curves_of, releasable


def _group(curves: pd.DataFrame, group: str) -> pd.DataFrame:
    return curves[curves["group"] == group]


def test_a_curve_is_the_product_over_the_deaths(source: pd.DataFrame) -> None:
    cohort = cohort_of(source)
    women = cohort[cohort["female"]]
    survival = 1.0
    for day in sorted(women.loc[women["died"], "follow_up_days"].unique()):
        if day <= 365:
            deaths = (women["died"] & (women["follow_up_days"] == day)).sum()
            survival *= 1 - deaths / (women["follow_up_days"] >= day).sum()
    read = at_days(_group(km_curves_of(cohort), "female"), [365]).iloc[0]
    assert read["survival"] == pytest.approx(survival)
    assert read["at_risk"] == (women["follow_up_days"] >= 365).sum()


def test_nothing_is_shown_of_fewer_than_ten_patients(source: pd.DataFrame) -> None:
    table = releasable(km_curves_of(cohort_of(source)), [0, 365, 9000])
    late = table[table["day"] == 9000]
    assert late["suppressed"].all()
    assert late[["at_risk", "survival", "ci_lower", "ci_upper"]].isna().all(axis=None)
    shown = table.loc[~table["suppressed"], "at_risk"]
    assert (shown % 10 == 0).all()
    assert shown.min() >= 10


def test_each_group_has_each_day_of_the_table(source: pd.DataFrame) -> None:
    table = releasable(km_curves_of(cohort_of(source)), TABLE_DAYS)
    assert len(table) == 6 * len(TABLE_DAYS)


def test_the_information_is_the_curvature_of_the_likelihood(source: pd.DataFrame) -> None:
    cohort = cohort_of(source)
    x = cohort[list(COVARIATES)].to_numpy(dtype=float)
    died, days = cohort["died"].to_numpy(), cohort["follow_up_days"].to_numpy()
    beta = np.array(list(fit_cox(cohort).coefficients.values()))

    def score(at: np.ndarray) -> np.ndarray:
        total = np.zeros(len(at))
        for patient in np.flatnonzero(died):
            risk = days >= days[patient]
            weight = np.exp((x[risk] - x.mean(axis=0)) @ at)
            total += x[patient] - (weight @ x[risk]) / weight.sum()
        return total

    assert score(beta) == pytest.approx(0, abs=1e-3)
    step = 1e-5
    curvature = [-(score(beta + step * e) - score(beta - step * e)) / (2 * step) for e in np.eye(len(beta))]
    assert information(x, died, days, beta) == pytest.approx(np.array(curvature), rel=1e-4, abs=1e-3)


def test_the_quality_report_counts_what_is_missing_or_impossible(source: pd.DataFrame) -> None:
    source.loc[0, "hr"] = 999
    source.loc[1, "bmi"] = None
    report = quality_of(source).set_index("column")
    assert report.loc["hr", "out_of_range"] == 1
    assert report.loc["bmi", "missing"] == 1
    assert pd.isna(report.loc["patient_id", "out_of_range"])
