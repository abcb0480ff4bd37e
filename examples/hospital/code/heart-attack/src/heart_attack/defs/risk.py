"""The risk of dying within a year, tracked in the project's MLflow."""

import pandas as pd
from dagster import AssetExecutionContext, AssetIn, asset, define_asset_job

from heart_attack.risk import fit_risk
from phems.project.mlflow import MlflowRun

COHORT = {"cohort": AssetIn(key_prefix="heart_attack")}


@asset(key_prefix="heart_attack", group_name="risk", kinds={"scikitlearn"}, ins=COHORT)
def risk_model(context: AssetExecutionContext, cohort: pd.DataFrame, mlflow_run: MlflowRun) -> None:
    """A logistic regression; its parameters and figures are in MLflow."""
    with mlflow_run.of(context):
        fit_risk(cohort)


risk = define_asset_job("risk", selection=[risk_model])
