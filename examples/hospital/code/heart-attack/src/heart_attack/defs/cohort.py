"""Who is in the study, and whether that can be trusted."""

import pandas as pd
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    TableColumnDep,
    TableColumnLineage,
    asset,
    asset_check,
)

from heart_attack.study import COVARIATES, SOURCES, cohort_of
from phems.project import DataSource

# A key of one part is the data source of that name.
LINEAGE = TableColumnLineage(
    {column: [TableColumnDep(AssetKey("whas500"), source)] for column, source in SOURCES.items()}
)


@asset(key_prefix="heart_attack", group_name="survival", kinds={"pandas"})
def cohort(context: AssetExecutionContext, whas500: DataSource) -> pd.DataFrame:
    """One row per patient: follow-up in days, whether they died, and what was seen at admission."""
    context.add_output_metadata({"dagster/column_lineage": LINEAGE})
    return cohort_of(whas500.pandas())


@asset_check(asset=cohort, blocking=True)
def cohort_has_enough_patients(cohort: pd.DataFrame) -> AssetCheckResult:
    """At least 100 patients, each once, and 10 deaths for each covariate of the model."""
    rows, deaths = len(cohort), int(cohort["died"].sum())
    unique = cohort["patient_id"].is_unique
    return AssetCheckResult(
        passed=rows >= 100 and unique and deaths >= 10 * len(COVARIATES),
        metadata={"patients": rows, "deaths": deaths, "each once": unique},
    )


@asset_check(asset=cohort, blocking=True)
def follow_up_is_positive(cohort: pd.DataFrame) -> AssetCheckResult:
    """Nobody was followed for less than a day."""
    wrong = int((cohort["follow_up_days"] <= 0).sum())
    return AssetCheckResult(passed=wrong == 0, metadata={"patients": wrong})


@asset_check(asset=cohort)
def nothing_is_missing(cohort: pd.DataFrame) -> AssetCheckResult:
    """The models leave nobody out for want of a value."""
    missing = int(cohort.isna().sum().sum())
    return AssetCheckResult(
        passed=missing == 0, severity=AssetCheckSeverity.WARN, metadata={"values": missing}
    )
