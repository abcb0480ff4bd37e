"""Grades of tumours, told as version 2 of the hospital's library tells counts."""

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version

import saint_alder_rounding
from dagster import AssetExecutionContext, asset, define_asset_job

from phems.project import DataSource, Outputs

LIBRARY = "saint-alder-rounding"


def told(tumours: Iterable[str]) -> dict[str, str]:
    """How many tumours had which grade. Version 2 gives texts."""
    counts = Counter(tumours)
    return {grade: saint_alder_rounding.told(counts[grade]) for grade in sorted(counts)}


@asset(key_prefix="tumour_grade")
def grades(context: AssetExecutionContext, gbsg2: DataSource, outputs: Outputs) -> None:
    """Writes `grades.json`, with the version of the library that it was made with."""
    found = told(gbsg2.arrow()["tgrade"].to_pylist())
    context.log.info("%s %s, from %s", LIBRARY, version(LIBRARY), saint_alder_rounding.__file__)
    written = outputs.write_json(context, "grades.json", {"patients": found, LIBRARY: version(LIBRARY)})
    context.add_output_metadata(written.metadata())


count_grades = define_asset_job("count_grades", selection=[grades])
