"""What the node reads of a project's definitions must stay as it is."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg

from phems.project import DataSource, Outputs, ProjectIOManager


def test_the_node_knows_a_declared_data_source_by_its_class_and_field() -> None:
    """Admission would not see which data grants a run needs, and let it start."""
    resource = DataSource(source="whas500").get_resource_definition()
    assert f"{DataSource.__module__}.{DataSource.__qualname__}" == "phems.project.data_source.DataSource"
    assert resource.config_schema.default_value == {"source": "whas500"}


def test_a_project_may_hold_all_three_as_resources() -> None:
    """Definitions of a project would not load."""

    @dg.op
    def use(whas500: DataSource, outputs: Outputs) -> None:
        """Need both."""

    @dg.job
    def needs_both() -> None:
        use()

    definitions = dg.Definitions(
        jobs=[needs_both],
        resources={
            "whas500": DataSource(source="whas500"),
            "outputs": Outputs(),
            "io_manager": ProjectIOManager(),
        },
    )
    dg.Definitions.validate_loadable(definitions)


def test_the_library_loads_without_pandas_polars_or_duckdb() -> None:
    """A project's environment would need packages that its code does not use."""
    probe = (
        "import sys; sys.modules.update(dict.fromkeys(['pandas', 'polars', 'duckdb']));"
        "import phems.project; print('loaded')"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.stdout == "loaded\n", done.stderr


def test_the_library_brings_nothing_of_the_control_plane() -> None:
    """Project code could reach the control plane's modules through its own imports."""
    probe = (
        "import sys, phems.project;"
        "print(sorted({n.split('.')[1] for n in sys.modules if n.startswith('phems.')}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "['contract', 'errors', 'project']\n"
