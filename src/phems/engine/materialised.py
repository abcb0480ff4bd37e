"""What a stored materialisation says of its asset: columns, where they come from, rows, versions.

It is project code's word, in whatever form it likes: what is not of the form that Dagster gives these entries
is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import (
    AssetKey,
    AssetMaterialization,
    IntMetadataValue,
    TableColumnLineageMetadataValue,
    TableSchemaMetadataValue,
)

from phems.domain.canonical import LARGEST_INT
from phems.domain.run_lineage import EngineAsset, Sources
from phems.domain.told_names import told_version
from phems.engine._dagster import EventLogEntry, deserialize_value

COLUMNS, LINEAGE, ROWS = "dagster/column_schema", "dagster/column_lineage", "dagster/row_count"
VERSION, INPUT_VERSION = "dagster/data_version", "dagster/input_data_version/"


def asset_of(event: str, *, name: str, step: str) -> EngineAsset:
    """The asset of a stored event; with its name alone when the event does not speak as Dagster does."""
    bare = EngineAsset(name=name, step=step)
    try:
        entry = deserialize_value(event, EventLogEntry)
        return _asset(bare, entry.dagster_event.event_specific_data.materialization)  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 (whatever was stored, its run has a place in the lineage)
        return bare


def _asset(bare: EngineAsset, made: AssetMaterialization) -> EngineAsset:
    metadata, tags = made.metadata, made.tags or {}
    return EngineAsset(
        name=bare.name,
        step=bare.step,
        version=told_version(tags.get(VERSION)),
        rows=_count(metadata.get(ROWS)),
        columns=_columns(metadata.get(COLUMNS)),
        sources=_sources(metadata.get(LINEAGE)),
        inputs=_inputs(tags),
    )


def _count(found: Any) -> int | None:
    value = found.value if isinstance(found, IntMetadataValue) else None
    return value if isinstance(value, int) and 0 <= value <= LARGEST_INT else None


def _columns(found: Any) -> tuple[tuple[str, str | None], ...]:
    if not isinstance(found, TableSchemaMetadataValue):
        return ()
    return tuple((column.name, column.type) for column in found.schema.columns)


def _sources(found: Any) -> Mapping[str, Sources]:
    if not isinstance(found, TableColumnLineageMetadataValue):
        return {}
    deps = found.column_lineage.deps_by_column
    return {
        column: tuple((dep.asset_key.to_user_string(), dep.column_name) for dep in each)
        for column, each in deps.items()
    }


def _inputs(tags: Mapping[str, str]) -> Mapping[str, str | None]:
    return {
        AssetKey.from_user_string(key.removeprefix(INPUT_VERSION)).to_user_string(): told_version(version)
        for key, version in tags.items()
        if key.startswith(INPUT_VERSION)
    }
