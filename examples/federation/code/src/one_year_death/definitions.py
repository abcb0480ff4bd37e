"""What Dagster loads: one asset, one job."""

from dagster import AssetExecutionContext, Definitions, asset, define_asset_job

from one_year_death.study import COEFFICIENTS, DIGITS
from one_year_death.training import design, model_of, trained
from phems.project import DataSource, Outputs, ProjectIOManager


@asset(key_prefix="one_year_death", kinds={"numpy"})
def update(
    context: AssetExecutionContext, patients: DataSource, global_model: DataSource, outputs: Outputs
) -> None:
    """One round on this hospital's patients; writes `update.json`."""
    number, coefficients = model_of(global_model.arrow())
    x, died = design(patients.arrow())
    after = trained(coefficients, x, died)
    content = {
        "round": number,
        "patients": len(x),
        "coefficients": {
            name: round(float(value), DIGITS) for name, value in zip(COEFFICIENTS, after, strict=True)
        },
    }
    outputs.write_json(context, "update.json", content)
    model = {
        "parameters": len(COEFFICIENTS),
        "observations": len(x),
        "residual_dof": len(x) - len(COEFFICIENTS),
    }
    written = outputs.declare(context, "update.json", {"kind": "regression", "model": model})
    context.add_output_metadata(written.metadata())


defs = Definitions(
    assets=[update],
    jobs=[define_asset_job("train", [update])],
    resources={
        "patients": DataSource(source="patients"),
        "global_model": DataSource(source="global-model"),
        "outputs": Outputs(),
        "io_manager": ProjectIOManager(),
    },
)
