"""Logistic regression by gradient steps: pure, over arrays."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from one_year_death.study import COEFFICIENTS, DAYS, RATE, STANDARD, STEPS

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


def design(patients: pa.Table) -> tuple[Matrix, Vector]:
    """One row per patient, a column for each of `COEFFICIENTS`; and who died within `DAYS`.

    ValueError when somebody was lost before that day: whether they died within it is not known.
    """
    days, died = patients["lenfol"].to_numpy(), patients["fstat"].to_numpy()
    if bool(((days < DAYS) & ~died).any()):
        raise ValueError(f"somebody alive was followed for less than {DAYS:.0f} days")
    columns = [
        (patients[name].to_numpy().astype(float) - middle) / spread
        for name, (middle, spread) in STANDARD.items()
    ]
    return np.column_stack([np.ones(len(patients)), *columns]), (died & (days <= DAYS)).astype(float)


def model_of(table: pa.Table) -> tuple[int, Vector]:
    """The round's number and its coefficients, of the data source `global-model`.

    ValueError for a model of another study.
    """
    found = dict(zip(table["coefficient"].to_pylist(), table["value"].to_pylist(), strict=True))
    rounds = set(table["round"].to_pylist())
    if tuple(found) != COEFFICIENTS or len(rounds) != 1:
        raise ValueError(f"the model has {', '.join(found)}; this study has {', '.join(COEFFICIENTS)}")
    return int(rounds.pop()), np.array(list(found.values()), dtype=float)


def trained(coefficients: Vector, x: Matrix, died: Vector) -> Vector:
    """The coefficients after a round's steps on these patients."""
    for _ in range(STEPS):
        risk = 1 / (1 + np.exp(-(x @ coefficients)))
        coefficients = coefficients - RATE * x.T @ (risk - died) / len(died)
    return coefficients
