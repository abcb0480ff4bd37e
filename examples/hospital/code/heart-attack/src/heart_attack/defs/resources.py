"""What the assets are given: the data source, a place for values between steps, a place for outputs."""

from dagster import Definitions, definitions

from phems.project import DataSource, Outputs, ProjectIOManager
from phems.project.mlflow import MlflowRun


@definitions
def resources() -> Definitions:
    return Definitions(
        resources={
            "whas500": DataSource(source="whas500"),
            "outputs": Outputs(),
            "mlflow_run": MlflowRun(),
            "io_manager": ProjectIOManager(),
        }
    )
