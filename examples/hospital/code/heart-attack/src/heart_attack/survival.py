"""Kaplan-Meier estimates by group, and what of them may be shown."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sksurv.nonparametric import kaplan_meier_estimator

from heart_attack.study import GROUPS, SMALL_CELL, STRATA


def km_curves_of(cohort: pd.DataFrame) -> pd.DataFrame:
    """One row per stratum, group and observed time: survival just after it, 95 % log-log interval, numbers.

    `at_risk` counts patients whose follow-up reaches the time. Row 0 of each group is day 0.
    """
    return pd.concat(
        [
            _curve(stratum, label, cohort[cohort[column] == value])
            for stratum, column in STRATA.items()
            for value, label in GROUPS[column].items()
        ],
        ignore_index=True,
    )


def _curve(stratum: str, group: str, patients: pd.DataFrame) -> pd.DataFrame:
    days = patients["follow_up_days"].to_numpy()
    times, survival, (lower, upper) = kaplan_meier_estimator(
        patients["died"].to_numpy(), days, conf_type="log-log"
    )
    ordered = np.sort(days)
    at_risk = len(ordered) - np.searchsorted(ordered, times, side="left")
    return pd.DataFrame(
        {
            "stratum": stratum,
            "group": group,
            "day": np.concatenate([[0.0], times]),
            "at_risk": np.concatenate([[len(ordered)], at_risk]),
            "survival": np.concatenate([[1.0], survival]),
            "lower": np.concatenate([[1.0], lower]),
            "upper": np.concatenate([[1.0], upper]),
        }
    )


def at_days(curve: pd.DataFrame, days: Iterable[float]) -> pd.DataFrame:
    """One group's curve read at chosen days: the survival of the last step, the number still followed."""
    chosen = np.asarray(list(days), dtype=float)
    step = np.searchsorted(curve["day"], chosen, side="right") - 1
    following = np.searchsorted(curve["day"], chosen, side="left")
    at_risk = np.append(curve["at_risk"].to_numpy(), 0)[following]
    read = curve.iloc[step][["stratum", "group", "survival", "lower", "upper"]].reset_index(drop=True)
    return read.assign(day=chosen.astype(int), at_risk=at_risk)


def releasable(curves: pd.DataFrame, days: Iterable[float]) -> pd.DataFrame:
    """The table that may leave: numbers at risk rounded to tens, nothing at all where fewer than ten remain.

    A suppressed row keeps its day, so that the reader sees that something was left out.
    """
    days = list(days)
    parts = [at_days(curve, days) for _, curve in curves.groupby(["stratum", "group"], sort=False)]
    table = pd.concat(parts, ignore_index=True)
    suppressed = table["at_risk"] < SMALL_CELL
    rounded = (table["at_risk"] / SMALL_CELL).round().astype("Int64") * SMALL_CELL
    return table[["stratum", "group", "day"]].assign(
        at_risk=rounded.mask(suppressed),
        survival=table["survival"].round(2).mask(suppressed),
        ci_lower=table["lower"].round(2).mask(suppressed),
        ci_upper=table["upper"].round(2).mask(suppressed),
        suppressed=suppressed,
    )
