"""A graph job: the effect in all patients, and in resamples of them side by side, brought together."""

from collections.abc import Iterator

import pandas as pd
from dagster import (
    Config,
    DynamicOut,
    DynamicOutput,
    OpExecutionContext,
    RetryPolicy,
    graph,
    op,
)
from pydantic import Field

from breast_cancer.effect import disclosure_of, interval, log_hazard_ratio, patients_of, resample
from phems.project import DataSource, Outputs


class CompletenessConfig(Config):
    """Whether the first attempt fails on purpose, to show a retry."""

    fail_first_attempt: bool = True


class BootstrapConfig(Config):
    """How many resamples, and where their random numbers start."""

    resamples: int = Field(default=8, ge=2, le=1000)
    seed: int = 20


@op
def load_patients(gbsg2: DataSource) -> pd.DataFrame:
    """Who is in the study."""
    return patients_of(gbsg2.pandas())


@op(retry_policy=RetryPolicy(max_retries=2, delay=0.2))
def check_completeness(
    context: OpExecutionContext, config: CompletenessConfig, patients: pd.DataFrame
) -> pd.DataFrame:
    """Let the patients through if no value is missing. Fails once on purpose, to be tried again."""
    if config.fail_first_attempt and context.retry_number == 0:
        raise RuntimeError("The first attempt fails on purpose; the retry policy starts a second one.")
    missing = int(patients.isna().sum().sum())
    if missing:
        raise ValueError(f"{missing} values are missing")
    context.add_output_metadata({"patients": len(patients), "attempt": context.retry_number + 1})
    return patients


@op(out=DynamicOut(int))
def plan_resamples(config: BootstrapConfig) -> Iterator[DynamicOutput[int]]:
    """One seed for each resample."""
    for number in range(config.resamples):
        yield DynamicOutput(config.seed + number, mapping_key=f"r{number:03d}")


@op
def effect_in_all(patients: pd.DataFrame) -> float:
    """The log hazard ratio in the patients as they are."""
    return log_hazard_ratio(patients)


@op
def effect_in_resample(patients: pd.DataFrame, seed: int) -> float:
    """The log hazard ratio in one resample."""
    return log_hazard_ratio(resample(patients, seed))


@op
def summarise(
    context: OpExecutionContext,
    patients: pd.DataFrame,
    estimate: float,
    resampled: list[float],
    outputs: Outputs,
) -> dict[str, float]:
    """The hazard ratio with its interval; writes `hazard_ratio.json` and `bootstrap.csv`."""
    result = interval(estimate, resampled)
    summary = {
        "effect": "hormonal therapy on recurrence-free survival, adjusted Cox model",
        "interval": "95 %, normal, bootstrap standard error",
        "patients": round(len(patients), -1),
        "resamples": len(resampled),
        **result,
    }
    rows = [
        {"resample": number, "log_hazard_ratio": round(effect, 4)}
        for number, effect in enumerate(resampled, start=1)
    ]
    disclosure = disclosure_of(patients)
    outputs.write_json(context, "hazard_ratio.json", summary)
    written = outputs.declare(context, "hazard_ratio.json", disclosure)
    table = outputs.write_table(context, "bootstrap.csv", rows, disclosure=disclosure)
    context.add_output_metadata({**result, **written.metadata(), **table.metadata()})
    return result


@graph
def hormone_effect() -> None:
    patients = check_completeness(load_patients())
    effects = plan_resamples().map(lambda seed: effect_in_resample(patients, seed))
    summarise(patients, effect_in_all(patients), effects.collect())


bootstrap_hormone_effect = hormone_effect.to_job(
    name="bootstrap_hormone_effect",
    description="Hazard ratio of hormonal therapy with a bootstrap interval.",
)
