"""Two attempts to read what this project has no grant for. In a node both are refused; try them.

`read_declared_other_data` declares its need as a resource, so it does not even start: admission refuses
the run. `read_other_data` hides its need inside an op, so it starts, and the step is refused.
"""

from dagster import OpExecutionContext, job, op

from phems.project import DataSource


@op
def read_quietly(context: OpExecutionContext, gbsg2: DataSource) -> int:
    """Look beside the granted file, then ask for the other source by name; return how many rows were read."""
    neighbours = sorted(path.name for path in gbsg2.path().parent.iterdir() if path.stem == "whas500")
    context.log.info("Files of the other project beside the granted one: %s", neighbours or "none")
    return DataSource(source="whas500").arrow().num_rows


@op
def read_openly(whas500: DataSource) -> int:
    """Read the other source as a declared resource; return how many rows were read."""
    return whas500.arrow().num_rows


@job
def read_other_data() -> None:
    """Ends in failure in a node: the step finds no grant and no file."""
    read_quietly()


@job
def read_declared_other_data() -> None:
    """Is refused at launch in a node: the run needs a data grant that is missing."""
    read_openly()
