"""The referee: compares the federated model with models that nobody in a federation could train.

It has all patients, since the example made the files. It is no part of the federation, and tells it nothing.
The other models come from scikit-learn, fitted to the end, so that other code checks the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from examples.federation.hospitals import STUDY
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

Vector = npt.NDArray[np.float64]
STANDARD: Mapping[str, tuple[float, float]] = STUDY["STANDARD"]
DAYS: float = STUDY["DAYS"]


@dataclass(frozen=True)
class Score:
    """A model on the patients held out, and how far its coefficients are from the pooled model's at most."""

    model: str
    patients: int
    auc: float
    log_loss: float
    distance: float


def scores(data: Mapping[str, Path], federated: Mapping[str, float]) -> list[Score]:
    """Each hospital alone, the federated model, the pooled one; coefficients are of standardised columns."""

    def arrays(*names: str) -> tuple[Vector, Vector]:
        table = pa.concat_tables([pq.read_table(data[name]) for name in names])
        x = np.column_stack(
            [(table[name].to_numpy() - middle) / spread for name, (middle, spread) in STANDARD.items()]
        )
        return x, (table["fstat"].to_numpy() & (table["lenfol"].to_numpy() <= DAYS)).astype(float)

    def fitted(*names: str) -> Vector:
        found = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(*arrays(*names))
        return np.concatenate([found.intercept_, found.coef_[0]])

    hospitals = [name for name in data if name != "held-out"]
    pooled = fitted(*hospitals)
    models = [
        *((f"{name} alone", [name], fitted(name)) for name in hospitals),
        ("federated", hospitals, np.array([federated["intercept"], *(federated[name] for name in STANDARD)])),
        ("pooled", hospitals, pooled),
    ]
    x, died = arrays("held-out")
    return [
        Score(
            name,
            len(arrays(*trained_on)[0]),
            float(roc_auc_score(died, x @ model[1:])),
            float(log_loss(died, 1 / (1 + np.exp(-(model[0] + x @ model[1:]))))),
            float(np.abs(model - pooled).max()),
        )
        for name, trained_on, model in models
    ]
