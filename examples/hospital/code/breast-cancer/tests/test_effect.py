"""The statistics on patients whose effect is known, because it was made."""

import math

import pandas as pd
import pytest
from breast_cancer.effect import interval, log_hazard_ratio, patients_of, resample


def test_the_effect_that_was_put_in_is_found(source: pd.DataFrame) -> None:
    assert log_hazard_ratio(patients_of(source)) == pytest.approx(math.log(0.5), abs=0.35)


def test_the_same_seed_draws_the_same_patients(source: pd.DataFrame) -> None:
    patients = patients_of(source)
    assert resample(patients, 3).equals(resample(patients, 3))
    assert not resample(patients, 3).equals(resample(patients, 4))
    assert len(resample(patients, 3)) == len(patients)


def test_the_interval_lies_around_the_estimate() -> None:
    result = interval(math.log(0.7), [math.log(0.6), math.log(0.7), math.log(0.8)])
    assert result["hazard_ratio"] == 0.7
    assert result["ci_lower"] < 0.7 < result["ci_upper"]
