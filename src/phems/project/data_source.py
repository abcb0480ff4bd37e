"""A granted data source, read as a path or as an Arrow, pandas, polars or DuckDB table.

The node reads two things of this class from a code location's snapshot, so both stay as they are: its
full name, `phems.project.data_source.DataSource`, and its config field `source`. A resource of this class
at the top level of `Definitions` is a declared need: a run that uses it is refused at launch without the
grant. A `DataSource("name")` made inside an op is refused when it is read.
"""
# No `from __future__ import annotations` here: it breaks Dagster's config classes.

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dagster import ConfigurableResource
from pydantic import Field

from phems.project.source_files import find_source
from phems.project.source_readers import open_duckdb, read_arrow
from phems.project.tables import from_arrow

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl


class DataSource(ConfigurableResource[Any]):
    """One data source of the node, read-only.

    As a resource: `resources={"patients": DataSource(source="whas500")}`; in code: `patients.pandas()`.
    Reading raises `RefusedError` without a grant, `InputError` for a file of another format, and on a
    laptop `NotFoundError` when neither `PHEMS_SOURCE_<NAME>` nor the folder `PHEMS_DATA` (or `data/`)
    has the file.
    """

    source: str = Field(description="The data source's name, as in node.yaml under `data_sources`.")

    def path(self) -> Path:
        """The file itself; it may be opened for reading only."""
        return find_source(self.source).path

    def arrow(self, table: str | None = None) -> pa.Table:
        """All rows as an Arrow table. `table` names one of a DuckDB database that holds several."""
        return read_arrow(self.source, find_source(self.source), table)

    def pandas(self, table: str | None = None) -> "pd.DataFrame":
        """All rows as a pandas DataFrame."""
        frame: pd.DataFrame = from_arrow(self.arrow(table), "pandas")
        return frame

    def polars(self, table: str | None = None) -> "pl.DataFrame":
        """All rows as a polars DataFrame."""
        frame: pl.DataFrame = from_arrow(self.arrow(table), "polars")
        return frame

    def duckdb(self) -> "duckdb.DuckDBPyConnection":
        """A DuckDB connection: a DuckDB source's own tables, read-only; else one view named as the source is,
        with `_` for `-`. Close it, or use it in a `with` block.
        """
        connection: duckdb.DuckDBPyConnection = open_duckdb(self.source, find_source(self.source))
        return connection
