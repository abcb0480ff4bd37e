"""What the asset is given."""

from dagster import Definitions, definitions

from phems.project import DataSource, Outputs, ProjectIOManager


@definitions
def resources() -> Definitions:
    return Definitions(
        resources={
            "whas500": DataSource(source="whas500"),
            "outputs": Outputs(),
            "io_manager": ProjectIOManager(),
        }
    )
