"""The small library that project authors import: data sources in, intermediate values between, outputs out.

    from phems.project import DataSource, Outputs, ProjectIOManager

The same code runs in a node and under plain `dagster dev`, `dg dev` or pytest on a laptop.
"""

from phems.project.data_source import DataSource
from phems.project.io import ProjectIOManager
from phems.project.outputs import Outputs, WrittenOutput, outputs

__all__ = ["DataSource", "Outputs", "ProjectIOManager", "WrittenOutput", "outputs"]
