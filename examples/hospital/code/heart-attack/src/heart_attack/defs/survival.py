"""From the cohort to curves and model, and to the three files that may be released."""

import pandas as pd
from dagster import AssetCheckResult, AssetExecutionContext, AssetIn, asset, asset_check

from heart_attack.cox import CoxModel, fit_cox
from heart_attack.figures import km_figure
from heart_attack.study import KM_DISCLOSURE, TABLE_DAYS
from heart_attack.survival import km_curves_of, releasable
from phems.project import Outputs

# Dagster finds an input of the same group by its name alone; across groups it needs the whole key.
KM_CURVES = {"km_curves": AssetIn(key_prefix="heart_attack")}


@asset(key_prefix="heart_attack", group_name="survival", kinds={"pandas"})
def km_curves(cohort: pd.DataFrame) -> pd.DataFrame:
    """Kaplan-Meier curves by heart failure, shock and sex, with exact numbers at risk: not for release."""
    return km_curves_of(cohort)


@asset(key_prefix="heart_attack", group_name="survival", kinds={"scikitlearn"})
def cox_model(context: AssetExecutionContext, cohort: pd.DataFrame, outputs: Outputs) -> CoxModel:
    """Hazard ratios of death; writes `cox_coefficients.json`."""
    model = fit_cox(cohort)
    outputs.write_json(context, "cox_coefficients.json", model.summary())
    written = outputs.declare(context, "cox_coefficients.json", model.disclosure())
    context.add_output_metadata({"concordance": model.concordance, **written.metadata()})
    return model


@asset_check(asset=cox_model)
def concordance_is_above_0_7(cox_model: CoxModel) -> AssetCheckResult:
    """The model tells who dies first better than chance by a good way."""
    return AssetCheckResult(
        passed=cox_model.concordance > 0.7, metadata={"concordance": cox_model.concordance}
    )


@asset(key_prefix="heart_attack", group_name="release", kinds={"csv"}, ins=KM_CURVES)
def km_table(context: AssetExecutionContext, km_curves: pd.DataFrame, outputs: Outputs) -> pd.DataFrame:
    """Survival at chosen days, small numbers left out; writes `km_table.csv`."""
    table = releasable(km_curves, TABLE_DAYS)
    written = outputs.write_table(context, "km_table.csv", table, disclosure=KM_DISCLOSURE)
    context.add_output_metadata({"suppressed": int(table["suppressed"].sum()), **written.metadata()})
    return table


@asset_check(asset=km_table)
def no_small_numbers(km_table: pd.DataFrame) -> AssetCheckResult:
    """Every number at risk that is shown is a multiple of ten, and ten at least."""
    shown = km_table["at_risk"].dropna()
    return AssetCheckResult(passed=bool(((shown >= 10) & (shown % 10 == 0)).all()))


@asset(key_prefix="heart_attack", group_name="release", kinds={"matplotlib"}, ins=KM_CURVES)
def km_curve(context: AssetExecutionContext, km_curves: pd.DataFrame, outputs: Outputs) -> None:
    """Survival by heart failure as a picture; writes `km_curve.png`."""
    figure = km_figure(km_curves, "congestive heart failure")
    written = outputs.write_figure(context, "km_curve.png", figure, dpi=120)
    context.add_output_metadata(written.metadata())
