"""The effect of hormonal therapy on recurrence-free survival, and how sure it is."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sksurv.linear_model import CoxPHSurvivalAnalysis

_GRADES = {"I": 1, "II": 2, "III": 3}
_Z95 = 1.959964


def patients_of(source: pd.DataFrame) -> pd.DataFrame:
    """One row per patient as numbers: outcome, therapy, and what the effect is adjusted for."""
    return pd.DataFrame(
        {
            "patient_id": source["patient_id"],
            "days": source["time"].astype(float),
            "recurred": source["cens"].astype(bool),
            "hormone_therapy": (source["horTh"] == "yes").astype(float),
            "age": source["age"].astype(float),
            "postmenopausal": (source["menostat"] == "Post").astype(float),
            "tumour_size": source["tsize"].astype(float),
            "grade": source["tgrade"].map(_GRADES).astype(float),
            "positive_nodes": source["pnodes"].astype(float),
            "log_progesterone": np.log1p(source["progrec"].astype(float)),
        }
    )


def log_hazard_ratio(patients: pd.DataFrame) -> float:
    """The coefficient of hormonal therapy in a Cox model adjusted for all other columns."""
    covariates = patients.drop(columns=["patient_id", "days", "recurred"])
    pairs = zip(patients["recurred"], patients["days"], strict=True)
    outcome = np.array(list(pairs), dtype=[("recurred", bool), ("days", float)])
    model = CoxPHSurvivalAnalysis().fit(covariates.to_numpy(), outcome)
    return float(model.coef_[covariates.columns.get_loc("hormone_therapy")])


def disclosure_of(patients: pd.DataFrame) -> dict[str, object]:
    """What results of that model are, so that the node can check them: see `Outputs.declare`."""
    parameters, observations = patients.shape[1] - 3, round(len(patients), -1)
    model = {
        "parameters": parameters,
        "observations": observations,
        "residual_dof": observations - parameters,
    }
    return {"kind": "regression", "population": "GBSG2", "model": model}


def resample(patients: pd.DataFrame, seed: int) -> pd.DataFrame:
    """As many patients, drawn with replacement; the same seed draws the same."""
    drawn = np.random.default_rng(seed).integers(0, len(patients), len(patients))
    return patients.iloc[drawn].reset_index(drop=True)


def interval(estimate: float, resampled: Sequence[float]) -> dict[str, float]:
    """Hazard ratio with a 95 % normal interval, its standard error from the bootstrap resamples."""
    error = float(np.std(resampled, ddof=1))
    return {
        "hazard_ratio": round(float(np.exp(estimate)), 3),
        "ci_lower": round(float(np.exp(estimate - _Z95 * error)), 3),
        "ci_upper": round(float(np.exp(estimate + _Z95 * error)), 3),
        "standard_error": round(error, 4),
    }
