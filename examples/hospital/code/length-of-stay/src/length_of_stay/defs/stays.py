"""How long patients stay in hospital, told as version 1 of the hospital's library tells counts."""

from collections.abc import Sequence
from importlib.metadata import version

import saint_alder_rounding
from dagster import AssetExecutionContext, asset, define_asset_job

from phems.project import DataSource, Outputs

LIBRARY = "saint-alder-rounding"
WEEK = 7


def told(days: Sequence[float]) -> dict[str, int | None]:
    """How many patients stayed for how long. Version 1 gives numbers."""
    within = sum(stay <= WEEK for stay in days)
    return {
        "a week at most": saint_alder_rounding.told(within),
        "longer": saint_alder_rounding.told(len(days) - within),
    }


@asset(key_prefix="length_of_stay")
def stays(context: AssetExecutionContext, whas500: DataSource, outputs: Outputs) -> None:
    """Writes `stays.json`, with the version of the library that it was made with."""
    found = told(whas500.arrow()["los"].to_pylist())
    context.log.info("%s %s, from %s", LIBRARY, version(LIBRARY), saint_alder_rounding.__file__)
    written = outputs.write_json(context, "stays.json", {"patients": found, LIBRARY: version(LIBRARY)})
    context.add_output_metadata(written.metadata())


count_stays = define_asset_job("count_stays", selection=[stays])
