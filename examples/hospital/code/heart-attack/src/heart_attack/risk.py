"""Who dies within a year: a logistic regression, for MLflow to keep the figures of."""

import mlflow
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from heart_attack.study import COVARIATES

YEAR = 365


def fit_risk(cohort: pd.DataFrame) -> Pipeline:
    """Fit on three quarters of the patients that a year is known of; the rest measure it."""
    known = cohort[cohort["died"] | (cohort["follow_up_days"] >= YEAR)]
    dies = known["died"] & (known["follow_up_days"] < YEAR)
    patients = known[list(COVARIATES)].astype(float)
    seen, unseen, of_seen, of_unseen = train_test_split(
        patients, dies, test_size=0.25, random_state=1, stratify=dies
    )
    mlflow.autolog(log_models=False, log_datasets=False)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))
    model.fit(seen, of_seen)
    mlflow.log_metric("accuracy", model.score(unseen, of_unseen))
    return model
