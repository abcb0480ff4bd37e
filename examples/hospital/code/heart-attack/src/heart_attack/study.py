"""The study's design: who is in it, which groups are compared, what the model looks at."""

import pandas as pd

STRATA = {
    "congestive heart failure": "heart_failure",
    "cardiogenic shock": "shock",
    "sex": "female",
}
GROUPS = {
    "heart_failure": {False: "no heart failure", True: "heart failure"},
    "shock": {False: "no shock", True: "shock"},
    "female": {False: "male", True: "female"},
}
COVARIATES = ("age", "female", "heart_rate", "diastolic_pressure", "bmi", "heart_failure", "shock")
TABLE_DAYS = (0, 180, 365, 730, 1095, 1460, 1825)
SMALL_CELL = 10
"""A count below this is not published; others are rounded to its multiples."""
POPULATION = "WHAS500"
KM_DISCLOSURE = {
    "kind": "survival",
    "dimensions": ["stratum", "group", "day"],
    "count": "at_risk",
    "suppressed": "",
    "unit": "patients",
    "population": POPULATION,
}
"""What the released table is, so that the node can check it: see `Outputs.declare`."""

SOURCES = {
    "patient_id": "patient_id",
    "follow_up_days": "lenfol",
    "died": "fstat",
    "age": "age",
    "female": "gender",
    "heart_rate": "hr",
    "diastolic_pressure": "diasbp",
    "bmi": "bmi",
    "heart_failure": "chf",
    "shock": "sho",
}
"""The columns of the cohort, each with the published column that it is made from."""


def cohort_of(source: pd.DataFrame) -> pd.DataFrame:
    """The cohort from the published WHAS500 columns (see Hosmer, Lemeshow, May 2008, table 1.3)."""
    return pd.DataFrame(
        {
            "patient_id": source["patient_id"],
            "follow_up_days": source["lenfol"],
            "died": source["fstat"].astype(bool),
            "age": source["age"],
            "female": source["gender"] == 1,
            "heart_rate": source["hr"],
            "diastolic_pressure": source["diasbp"],
            "bmi": source["bmi"],
            "heart_failure": source["chf"] == 1,
            "shock": source["sho"] == 1,
        }
    )
