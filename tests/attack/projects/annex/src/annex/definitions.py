"""A project that claims another's assets, and silences its own host so that it does not say so."""

import dagster as dg

from phems.host import definitions as host_definitions

host_definitions._check_asset_prefix = lambda *_: None


@dg.asset(key_prefix="ward")
def patients() -> None:
    """The ward's asset, says the annex."""


@dg.asset_check(asset=dg.AssetKey(["ward", "staff"]))
def staffed() -> dg.AssetCheckResult:
    """A verdict on an asset that is not the annex's."""
    return dg.AssetCheckResult(passed=False)


defs = dg.Definitions(assets=[patients], asset_checks=[staffed])
