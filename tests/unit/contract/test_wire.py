"""Values through the wall: what goes in comes out, on both sides alike; hostile bytes fail as one kind."""

from __future__ import annotations

import json
from collections import namedtuple
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import pytest
from dagster import AssetCheckKey, AssetKey, AssetMaterialization, DagsterRunStatus
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateRecordBody
from hypothesis import given
from hypothesis import strategies as st

from phems.contract.wire import WIRE_ENUMS, WIRE_TYPES, WireCodec
from phems.engine import _dagster
from phems.engine.storage_service import CODEC as NODE
from phems.errors import IntegrityError
from phems.host.storage_client import CODEC as HOST

KEY = AssetKey(["shapes", "made"])
RUN = _dagster.DagsterRun(job_name="j", run_id="r", tags={"a": "b"})
EVENT = _dagster.EventLogEntry(
    error_info=None,
    level=20,
    user_message="made",
    run_id="r",
    timestamp=1.5,
    step_key="s",
    job_name="j",
    dagster_event=None,
)
ENTRY = _dagster.AssetEntry(asset_key=KEY, last_run_id="r")
CHECK_KEY = AssetCheckKey(KEY, "c")
CHECK = _dagster.AssetCheckExecutionRecord(
    CHECK_KEY, 1, "r", _dagster.AssetCheckExecutionRecordStatus.PLANNED, None, 1.0, None
)
SAMPLES: dict[str, list[Any]] = {
    "AssetCheckExecutionRecord": [CHECK],
    "AssetCheckPartitionInfo": [
        _dagster.AssetCheckPartitionInfo(
            check_key=CHECK_KEY,
            partition_key="a",
            latest_execution_status=_dagster.AssetCheckExecutionRecordStatus.FAILED,
            latest_planned_run_id="r",
            latest_check_event_storage_id=1,
            latest_materialization_storage_id=None,
            latest_target_materialization_storage_id=2,
        )
    ],
    "AssetCheckSummaryRecord": [
        _dagster.AssetCheckSummaryRecord(
            asset_check_key=CHECK_KEY,
            last_check_execution_record=CHECK,
            last_run_id="r",
            last_completed_check_execution_record=None,
        )
    ],
    "AssetEntry": [ENTRY],
    "AssetEventSummaryRecord": [
        _dagster.AssetEventSummaryRecord(
            storage_id=1, run_id="r", asset_key=KEY, partition=None, timestamp=1.5
        )
    ],
    "AssetRecord": [_dagster.AssetRecord(storage_id=3, asset_entry=ENTRY)],
    "EventLogConnection": [_dagster.EventLogConnection([], "cursor", has_more=True)],
    "EventRecordsFilter": [
        _dagster.EventRecordsFilter(_dagster.DagsterEventType.ASSET_MATERIALIZATION, asset_key=KEY)
    ],
    "EventRecordsResult": [_dagster.EventRecordsResult([], "cursor", has_more=False)],
    "FreshnessStateRecord": [
        _dagster.FreshnessStateRecord(
            entity_key=KEY,
            freshness_state=FreshnessState.PASS,
            updated_at=datetime(2026, 1, 1, tzinfo=UTC),
            record_body=FreshnessStateRecordBody(metadata={"a": 1}),
        )
    ],
    "JobBucket": [_dagster.JobBucket(job_names=["j"], bucket_limit=None)],
    "PaginatedResults": [_dagster.PaginatedResults(results=["a"], cursor="c", has_more=True)],
    "PartitionKeyFilter": [_dagster.PartitionKeyFilter(key="a")],
    "PlannedMaterializationInfo": [_dagster.PlannedMaterializationInfo(storage_id=1, run_id="r")],
    "PoolLimit": [_dagster.PoolLimit(name="p", limit=3, from_default=False)],
    "RunRecord": [
        _dagster.RunRecord(
            storage_id=1,
            dagster_run=RUN,
            create_timestamp=datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
            update_timestamp=datetime(2026, 1, 2, tzinfo=UTC),
            start_time=1.0,
            end_time=None,
        )
    ],
    "RunStatusChangeRecordsFilter": [
        _dagster.RunStatusChangeRecordsFilter(_dagster.DagsterEventType.RUN_SUCCESS, after_storage_id=4)
    ],
    "RunsFilter": [
        _dagster.RunsFilter(
            run_ids=["r"],
            statuses=[DagsterRunStatus.SUCCESS],
            tags={"a": ["b", "c"]},
            created_after=datetime(2026, 1, 1, tzinfo=UTC),
        )
    ],
    "TagBucket": [_dagster.TagBucket(tag_key="k", tag_values=["v"], bucket_limit=3)],
}
BOTH = [(NODE, HOST), (HOST, NODE)]

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.tuples(st.text(), st.integers())
VALUES = st.recursive(
    SCALARS
    | st.datetimes(timezones=st.just(UTC))
    | st.datetimes()
    | st.sampled_from(DagsterRunStatus)
    | st.builds(AssetKey, st.lists(st.text(min_size=1), min_size=1, max_size=3))
    | st.frozensets(KEYS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=10,
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$", "type", "fields", "items", "value", "name"]), inner)
        | st.fixed_dictionaries(
            {
                "$": st.sampled_from(
                    ["record", "enum", "serdes", "map", "set", "tuple", "datetime", "pickle"]
                ),
                "type": st.sampled_from([*WIRE_TYPES, *WIRE_ENUMS, "os.system"]) | inner,
                "items": inner | st.lists(st.lists(inner, min_size=2, max_size=2), max_size=2),
                "fields": inner,
                "value": inner,
                "name": inner,
            }
        )
    ),
    max_leaves=10,
)


def across(value: object, sender: WireCodec = HOST, receiver: WireCodec = NODE) -> Any:
    return receiver.decode(json.loads(json.dumps(sender.encode(value))))


@given(VALUES)
def test_plain_values_come_out_as_they_went_in(value: object) -> None:
    """Otherwise a question is answered that was not asked."""
    assert across(value) == value


@pytest.mark.parametrize(("sender", "receiver"), BOTH)
@pytest.mark.parametrize("name", WIRE_TYPES)
def test_each_of_dagster_s_own_types_crosses_both_ways(
    name: str, sender: WireCodec, receiver: WireCodec
) -> None:
    """Otherwise a method of `context.instance` that the table allows fails when it is called."""
    for sample in SAMPLES[name]:
        assert type(sample).__name__ == name
        found = across(sample, sender, receiver)
        assert type(found) is type(sample)
        # Equality is not enough for records that compare as tuples: field by field, too.
        assert sender.as_dict(found) == sender.as_dict(sample)


def test_every_type_and_enum_of_the_table_is_known_to_both_sides() -> None:
    """Otherwise the two sides drift apart with an upgrade of Dagster."""
    for codec in (NODE, HOST):
        assert sorted(codec.types) == sorted(WIRE_TYPES)
        assert sorted(codec.enums) == sorted(WIRE_ENUMS)
    assert sorted(SAMPLES) == sorted(WIRE_TYPES)
    for name in WIRE_ENUMS:
        for member in NODE.enums[name]:  # type: ignore[attr-defined]
            assert across(member) is member


def test_dagster_s_serdes_carries_events_and_runs() -> None:
    """Otherwise no event of a step is ever stored."""
    materialization = AssetMaterialization(asset_key=KEY, metadata={"rows": 3})
    assert across([EVENT, RUN, materialization]) == [EVENT, RUN, materialization]


class Shouting(str):
    """A text of a library's own kind."""

    __slots__ = ()

    def __str__(self) -> str:
        return "!"


class Colour(StrEnum):
    """A text that is an enum's."""

    RED = "red"


def test_a_text_of_another_kind_crosses_as_plain_text() -> None:
    """Otherwise a name from a library arrives as a list of letters."""
    assert across(Shouting("name")) == "name"


def test_sequences_of_other_kinds_cross_as_lists() -> None:
    """Otherwise a range of run numbers, which Dagster takes, is refused."""
    assert across(range(3)) == [0, 1, 2]
    assert across(namedtuple("Pair", "a b")(1, 2)) == (1, 2)  # noqa: PYI024


@pytest.mark.parametrize(
    "value",
    [Colour.RED, b"x", bytearray(b"x"), memoryview(b"x"), object(), lambda: 1, 1j, date(2026, 1, 1), type],
)
def test_what_has_no_form_on_the_wire_is_refused_by_name(value: object) -> None:
    """Otherwise it crosses as something else."""
    with pytest.raises(IntegrityError, match="may not cross"):
        HOST.encode(value)


@given(JSON)
def test_hostile_values_are_read_or_refused_and_nothing_else(value: object) -> None:
    """Otherwise project code chooses how the node fails."""
    with suppress(IntegrityError):
        NODE.decode(value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"$": []},
        {"$": "pickle", "value": "x"},
        {"$": "record", "type": "Popen", "fields": {}},
        {"$": "record", "type": "RunsFilter", "fields": {"__class__": "x"}},
        {"$": "enum", "type": "DagsterRunStatus", "name": "__class__"},
        {"$": "serdes", "value": '{"__class__": "Popen", "args": "id"}'},
        {"$": "serdes", "value": 7},
        {"$": "set", "items": [[1]]},
        {"$": "map", "items": [[1]]},
        {"$": "datetime", "value": "yesterday"},
    ],
)
def test_what_names_no_known_form_is_refused(value: object) -> None:
    """Otherwise what crosses decides what is built."""
    with pytest.raises(IntegrityError):
        NODE.decode([value])


def test_a_bottomless_value_is_refused() -> None:
    """Otherwise a nest of lists takes the node's thread down its own way."""
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(IntegrityError):
        NODE.decode(value)
