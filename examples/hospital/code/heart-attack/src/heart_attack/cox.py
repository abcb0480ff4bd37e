"""A Cox proportional hazards model with standard errors from the observed information."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored

from heart_attack.study import COVARIATES, POPULATION

Matrix = npt.NDArray[np.float64]
_Z95 = 1.959964


@dataclass(frozen=True)
class CoxModel:
    """What of a fitted model is kept: nothing of any one patient."""

    coefficients: dict[str, float]
    standard_errors: dict[str, float]
    concordance: float
    patients: int
    deaths: int

    def summary(self) -> dict[str, object]:
        """For release: hazard ratios with 95 % intervals, counts rounded to tens."""
        return {
            "model": "Cox proportional hazards, Breslow ties",
            "patients": round(self.patients, -1),
            "deaths": round(self.deaths, -1),
            "concordance": round(self.concordance, 3),
            "covariates": {name: self._of(name) for name in self.coefficients},
        }

    def disclosure(self) -> dict[str, object]:
        """What the summary is, so that the node can check it: see `Outputs.declare`."""
        parameters, patients = len(self.coefficients), round(self.patients, -1)
        model = {
            "parameters": parameters,
            "observations": patients,
            "residual_dof": patients - parameters,
        }
        return {"kind": "regression", "population": POPULATION, "model": model}

    def _of(self, name: str) -> dict[str, float]:
        beta, error = self.coefficients[name], self.standard_errors[name]
        return {
            "coefficient": round(beta, 4),
            "standard_error": round(error, 4),
            "hazard_ratio": round(float(np.exp(beta)), 3),
            "ci_lower": round(float(np.exp(beta - _Z95 * error)), 3),
            "ci_upper": round(float(np.exp(beta + _Z95 * error)), 3),
        }


def fit_cox(cohort: pd.DataFrame) -> CoxModel:
    """Fit on the study's covariates."""
    x = cohort[list(COVARIATES)].to_numpy(dtype=float)
    died, days = cohort["died"].to_numpy(dtype=bool), cohort["follow_up_days"].to_numpy(dtype=float)
    outcome = np.array(list(zip(died, days, strict=True)), dtype=[("died", bool), ("days", float)])
    beta = CoxPHSurvivalAnalysis(ties="breslow").fit(x, outcome).coef_
    errors = np.sqrt(np.diag(np.linalg.inv(information(x, died, days, beta))))
    return CoxModel(
        coefficients=dict(zip(COVARIATES, map(float, beta), strict=True)),
        standard_errors=dict(zip(COVARIATES, map(float, errors), strict=True)),
        concordance=float(concordance_index_censored(died, days, x @ beta)[0]),
        patients=len(cohort),
        deaths=int(died.sum()),
    )


def information(x: Matrix, died: npt.NDArray[np.bool_], days: Matrix, beta: Matrix) -> Matrix:
    """Minus the second derivative of the log partial likelihood (Breslow) at `beta`.

    For each death: the covariance of the covariates over those still at risk, weighted by their hazard.
    """
    order = np.argsort(-days, kind="stable")
    x, died, days = x[order] - x.mean(axis=0), died[order], days[order]
    weight = np.exp(x @ beta)
    s0 = np.cumsum(weight)
    s1 = np.cumsum(weight[:, None] * x, axis=0)
    s2 = np.cumsum(weight[:, None, None] * x[:, :, None] * x[:, None, :], axis=0)
    # Everyone with the same day is at risk at it: read the sums at the last of them.
    last = np.searchsorted(-days, -days[died], side="right") - 1
    mean = s1[last] / s0[last, None]
    return (s2[last] / s0[last, None, None] - mean[:, :, None] * mean[:, None, :]).sum(axis=0)
