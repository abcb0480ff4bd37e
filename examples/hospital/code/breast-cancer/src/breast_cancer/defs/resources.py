"""What the ops are given. `whas500` is another project's: only a job that must be refused asks for it."""

from dagster import Definitions, definitions

from phems.project import DataSource, Outputs, ProjectIOManager


@definitions
def resources() -> Definitions:
    return Definitions(
        resources={
            "gbsg2": DataSource(source="gbsg2"),
            "whas500": DataSource(source="whas500"),
            "outputs": Outputs(),
            "io_manager": ProjectIOManager(),
        }
    )
