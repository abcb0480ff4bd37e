"""One hospital's part, on made-up patients."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from one_year_death.training import design, model_of, trained


def patients(**changes: Any) -> pa.Table:
    columns = {
        "age": [70.0, 85.0, 55.0],
        "bmi": [27.0, 22.0, 32.0],
        "chf": [0.0, 1.0, 0.0],
        "diasbp": [80.0, 60.0, 80.0],
        "hr": [85.0, 110.0, 60.0],
        "lenfol": [900.0, 12.0, 400.0],
        "fstat": [True, True, False],
    }
    return pa.table({**columns, **changes})


def test_the_columns_are_the_protocols() -> None:
    x, died = design(patients())
    assert x[0].tolist() == [1, 0, 0, -1, 0, 0]
    assert x[1].tolist() == [1, 1, -1, 1, -1, 1]
    assert died.tolist() == [0, 1, 0]  # the first died after the year


def test_nobody_may_have_been_lost_within_the_year() -> None:
    with pytest.raises(ValueError, match="followed for less than 365 days"):
        design(patients(lenfol=[900.0, 12.0, 364.0]))


def test_a_model_of_another_study_is_not_trained_on() -> None:
    table = {"round": [3, 3], "coefficient": ["intercept", "sex"], "value": [0.0, 0.0]}
    with pytest.raises(ValueError, match="the model has intercept, sex"):
        model_of(pa.table(table))


def test_the_steps_lead_to_the_maximum_of_the_likelihood() -> None:
    draw = np.random.default_rng(7)
    x = np.column_stack([np.ones(400), draw.normal(size=(400, 5))])
    died = (draw.random(400) < 1 / (1 + np.exp(1 - x[:, 1]))).astype(float)
    model = np.zeros(6)
    for _ in range(20):
        model = trained(model, x, died)
    risk = 1 / (1 + np.exp(-(x @ model)))
    assert np.abs(x.T @ (risk - died)).max() < 1e-6
