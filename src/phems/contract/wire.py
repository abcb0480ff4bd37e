"""The wire form of values that cross the wall: JSON, with Dagster's own types beside it.

Never pickle: what is read here comes from the other side. Dagster's serdes carries the types that
Dagster itself sends between processes; `WIRE_TYPES` names the few more that its storages take and
give. Each side hands its own classes in, so that this module needs no Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from phems.errors import IntegrityError

# Types of Dagster's storage interface that its own serdes does not know, or not with their enums.
WIRE_TYPES: tuple[str, ...] = (
    "AssetCheckExecutionRecord",
    "AssetCheckPartitionInfo",
    "AssetCheckSummaryRecord",
    "AssetEntry",
    "AssetEventSummaryRecord",
    "AssetRecord",
    "EventLogConnection",
    "EventRecordsFilter",
    "EventRecordsResult",
    "FreshnessStateRecord",
    "JobBucket",
    "PaginatedResults",
    "PartitionKeyFilter",
    "PlannedMaterializationInfo",
    "PoolLimit",
    "RunRecord",
    "RunStatusChangeRecordsFilter",
    "RunsFilter",
    "TagBucket",
)
WIRE_ENUMS: tuple[str, ...] = (
    "AssetCheckExecutionRecordStatus",
    "BulkActionStatus",
    "DagsterEventType",
    "DagsterRunStatus",
    "FreshnessState",
    "InstigatorStatus",
    "TickStatus",
)

_SCALARS = (str, int, float, bool, type(None))
_NO_COLLECTIONS = (bytes, bytearray, memoryview, str)
_TAG = "$"


@dataclass(frozen=True)
class WireCodec:
    """Turns values into JSON and back, with one side's classes.

    `types` maps each name of `WIRE_TYPES` to its class; `as_dict` gives a record's fields;
    `serialize`/`deserialize` are Dagster's serdes, `is_serdes` says which objects it knows.
    """

    types: Mapping[str, type]
    as_dict: Callable[[Any], Mapping[str, Any]]
    serialize: Callable[[Any], str]
    deserialize: Callable[[str], Any]
    is_serdes: Callable[[Any], bool]
    enums: Mapping[str, type]

    def encode(self, value: object) -> object:
        """A JSON value for `value`; raises `IntegrityError` for what may not cross."""
        if type(value) in _SCALARS:
            return value
        name = type(value).__name__
        if self.types.get(name) is type(value):
            fields = {key: self.encode(item) for key, item in self.as_dict(value).items()}
            return {_TAG: "record", "type": name, "fields": fields}
        if self.enums.get(name) is type(value):
            return {_TAG: "enum", "type": name, "name": value.name}  # type: ignore[attr-defined]
        if self.is_serdes(value):
            return {_TAG: "serdes", "value": self.serialize(value)}
        return self._encode_collection(value)

    def _encode_collection(self, value: object) -> object:
        if isinstance(value, Mapping):
            return {_TAG: "map", "items": [[self.encode(k), self.encode(v)] for k, v in value.items()]}
        if isinstance(value, AbstractSet):
            return {_TAG: "set", "items": [self.encode(item) for item in value]}
        if isinstance(value, tuple):
            return {_TAG: "tuple", "items": [self.encode(item) for item in value]}
        if isinstance(value, str) and not isinstance(value, Enum):
            return str.__str__(value)
        if isinstance(value, datetime):
            return {_TAG: "datetime", "value": value.isoformat()}
        if isinstance(value, Sequence) and not isinstance(value, _NO_COLLECTIONS):
            return [self.encode(item) for item in value]
        raise IntegrityError(f"A {type(value).__name__} may not cross the wall.")

    def decode(self, value: object) -> Any:
        """The value that `encode` was given; raises `IntegrityError` for anything else."""
        if type(value) in _SCALARS:
            return value
        try:
            if isinstance(value, list):
                return [self.decode(item) for item in value]
            return _DECODERS[value[_TAG]](self, value)  # type: ignore[index, arg-type]
        except IntegrityError:
            raise
        except Exception as error:
            raise IntegrityError("A value that crossed the wall cannot be read.", why=repr(error)) from error


_DECODERS: dict[str, Callable[[WireCodec, dict[str, Any]], Any]] = {
    "record": lambda c, v: c.types[v["type"]](**{k: c.decode(item) for k, item in v["fields"].items()}),
    "enum": lambda c, v: c.enums[v["type"]][v["name"]],  # type: ignore[index]
    "serdes": lambda c, v: c.deserialize(v["value"]),
    "map": lambda c, v: {c.decode(key): c.decode(item) for key, item in v["items"]},
    "set": lambda c, v: {c.decode(item) for item in v["items"]},
    "tuple": lambda c, v: tuple(c.decode(item) for item in v["items"]),
    "datetime": lambda _codec, v: datetime.fromisoformat(v["value"]),
}


def wire_codec(dagster: Any) -> WireCodec:
    """The codec of one side; `dagster` is that side's module of Dagster's names (its `_dagster.py`)."""
    return WireCodec(
        types={name: getattr(dagster, name) for name in WIRE_TYPES},
        enums={name: getattr(dagster, name) for name in WIRE_ENUMS},
        as_dict=lambda value: dagster.as_dict(value) if dagster.is_record(value) else value._asdict(),
        serialize=dagster.serialize_value,
        deserialize=dagster.deserialize_value,
        is_serdes=dagster.is_whitelisted_for_serdes_object,
    )
