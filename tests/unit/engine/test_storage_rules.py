"""The allow-list of the storage service says something of every method that Dagster has, and no more."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest
from dagster import AssetCheckKey, AssetKey

from phems.contract.capability import Capability
from phems.contract.wire import WIRE_ENUMS, WIRE_TYPES
from phems.engine import storage_rules
from phems.engine._dagster import (
    AssetRecordsFilter,
    DagsterEventType,
    EventLogStorage,
    EventRecordsFilter,
    RunsFilter,
    RunStorage,
    ScheduleStorage,
)
from phems.engine.storage_rules import RULES
from phems.engine.tags import PROJECT_TAG
from phems.errors import RefusedError
from phems.host import storages as project_side

STORAGES: dict[str, type] = {"runs": RunStorage, "events": EventLogStorage, "schedules": ScheduleStorage}
MADE = DagsterEventType.ASSET_MATERIALIZATION
OWN, FOREIGN = AssetKey(["heart_attack", "cohort"]), AssetKey(["breast_cancer", "cohort"])


@dataclass
class Project:
    """A caller's scope, with runs and snapshots of its own."""

    capability: Capability = field(
        default_factory=lambda: Capability("step", "heart-attack", 1e12, "d", "run-1", "step", 1)
    )
    asset_prefix: str = "heart_attack"
    projects: tuple[str, ...] = ("heart-attack",)

    @property
    def asset_prefixes(self) -> tuple[str, ...]:
        return (self.asset_prefix,)

    def owns_run(self, run_id: str) -> bool:
        return run_id.startswith("run-")

    def own_runs(self, run_ids: Iterable[str]) -> set[str]:
        return {run_id for run_id in run_ids if self.owns_run(run_id)}

    def owns_job_snapshot(self, snapshot_id: str) -> bool:
        return snapshot_id == "own"

    def owns_plan_snapshot(self, snapshot_id: str) -> bool:
        return snapshot_id == "own"


@pytest.mark.parametrize("storage", STORAGES)
def test_every_abstract_method_of_dagster_s_storages_has_a_rule(storage: str) -> None:
    """Attack 6: otherwise a method that an upgrade adds is answered, or refused, by nobody's decision."""
    abstract = STORAGES[storage].__abstractmethods__  # type: ignore[attr-defined]
    assert abstract - set(RULES[storage]) == set(), "decide on these in engine/storage_rules.py"


@pytest.mark.parametrize("storage", STORAGES)
def test_no_rule_is_for_a_method_that_dagster_does_not_have(storage: str) -> None:
    """Otherwise the table is trusted to say something of a method that has gone or was renamed."""
    assert [name for name in RULES[storage] if not hasattr(STORAGES[storage], name)] == []


@pytest.mark.parametrize("storage", STORAGES)
def test_what_the_project_side_sends_is_in_the_table(storage: str) -> None:
    """Otherwise a call that Dagster makes in a step meets a service that has never heard of it."""
    assert set(project_side._ALSO_REMOTE[storage]) <= set(RULES[storage])


@pytest.mark.parametrize("storage", STORAGES)
def test_no_method_takes_any_number_of_arguments(storage: str) -> None:
    """Otherwise a rule reads an argument by its name and the method gets another."""
    for name in RULES[storage]:
        member = getattr(STORAGES[storage], name)
        if callable(member):
            kinds = {p.kind for p in inspect.signature(member).parameters.values()}
            assert inspect.Parameter.VAR_POSITIONAL not in kinds, name


def allowed_methods() -> list[tuple[str, str]]:
    return [
        (storage, name)
        for storage, rules in RULES.items()
        for name, rule in rules.items()
        if rule is not storage_rules.REFUSED and callable(getattr(STORAGES[storage], name))
    ]


@pytest.mark.parametrize(("storage", "name"), allowed_methods())
def test_what_an_allowed_method_takes_and_gives_can_cross_the_wall(storage: str, name: str) -> None:
    """Otherwise the table allows what the wire then refuses: the author sees a failure of the node."""
    method = getattr(STORAGES[storage], name)
    module = inspect.getmodule(inspect.unwrap(method))
    names = {**vars(typing), **vars(storage_rules), **vars(module)}
    for text in method.__annotations__.values():
        try:
            hint = eval(text, names) if isinstance(text, str) else text  # noqa: S307 - Dagster's own source
        except NameError:
            continue  # imported for type checkers alone; such types are met in the tests of a whole node
        for kind in _classes(hint):
            known = kind.__name__ in {*WIRE_TYPES, *WIRE_ENUMS} or kind.__module__ in {"builtins", "datetime"}
            serdes = kind in _serdes_classes() if not known else True
            assert known or serdes, f"{kind.__name__} of {name} has no form on the wire"


def _classes(hint: Any) -> list[type]:
    inner = typing.get_args(hint)
    if inner:
        return [kind for part in inner for kind in _classes(part)]
    if isinstance(hint, type) and not inspect.isabstract(hint) and hint.__module__ != "typing":
        is_data = issubclass(hint, (tuple, Enum)) or "dagster" in hint.__module__
        return [hint] if is_data else []
    return []


def _serdes_classes() -> set[type]:
    from dagster_shared.serdes.serdes import _WHITELIST_MAP  # the very map that the serdes reads

    return {
        *(s.klass for s in _WHITELIST_MAP.object_serializers.values()),
        *(s.klass for s in _WHITELIST_MAP.enum_serializers.values()),
    }


CONFINED: list[tuple[str, str, dict[str, Any]]] = [
    ("runs", "has_run", {"run_id": "run-1"}),
    ("runs", "get_job_snapshot", {"job_snapshot_id": "own"}),
    ("runs", "get_execution_plan_snapshot", {"execution_plan_snapshot_id": "own"}),
    ("events", "get_records_for_run", {"run_id": "run-1"}),
    ("events", "has_asset_key", {"asset_key": OWN}),
    ("events", "get_asset_records", {"asset_keys": [OWN]}),
    ("events", "get_latest_materialization_events", {"asset_keys": [OWN]}),
    ("events", "fetch_materializations", {"records_filter": OWN}),
    ("events", "fetch_materializations", {"records_filter": AssetRecordsFilter(asset_key=OWN)}),
    ("events", "get_event_records", {"event_records_filter": EventRecordsFilter(MADE, asset_key=OWN)}),
    ("events", "get_asset_check_execution_history", {"check_key": AssetCheckKey(OWN, "c")}),
    ("events", "get_latest_asset_check_execution_by_key", {"check_keys": [AssetCheckKey(OWN, "c")]}),
    ("events", "get_asset_event_summary_records", {"asset_key": OWN, "run_id": None}),
    ("events", "get_asset_event_summary_records", {"asset_key": None, "run_id": "run-1"}),
    ("events", "get_dynamic_partitions", {"partitions_def_name": "heart_attack/drawers"}),
]


def _elsewhere(value: Any) -> Any:
    """The same about another project's things."""
    match value:
        case dict():
            return {name: _elsewhere(part) for name, part in value.items()}
        case AssetCheckKey():
            moved: Any = AssetCheckKey(FOREIGN, value.name)
        case AssetKey():
            moved = FOREIGN
        case AssetRecordsFilter():
            moved = AssetRecordsFilter(asset_key=FOREIGN)
        case EventRecordsFilter():
            moved = EventRecordsFilter(value.event_type, asset_key=FOREIGN)
        case list():
            moved = [_elsewhere(part) for part in value]
        case "heart_attack/drawers":
            moved = "heart_attack_too/drawers"
        case str():
            moved = "other"
        case _:
            moved = value
    return moved


@pytest.mark.parametrize(("storage", "method", "arguments"), CONFINED)
def test_a_rule_lets_the_own_pass_and_nothing_else(
    storage: str, method: str, arguments: dict[str, Any]
) -> None:
    """Otherwise a project reads another's runs, assets or partitions, or not even its own."""
    rule = RULES[storage][method]
    foreign = _elsewhere(arguments)
    rule.confine(Project(), dict(arguments))
    with pytest.raises(RefusedError):
        rule.confine(Project(), foreign)


def test_runs_are_looked_for_among_the_project_s_own_whatever_is_asked() -> None:
    """Otherwise a filter for another project's runs finds them."""
    for given, own in (
        (None, "heart-attack"),
        (RunsFilter(tags={PROJECT_TAG: "heart-attack", "a": "b"}, job_name="j"), "heart-attack"),
        (RunsFilter(tags={PROJECT_TAG: ["breast-cancer", "heart-attack"]}), "heart-attack"),
        (RunsFilter(tags={PROJECT_TAG: "breast-cancer", "a": "b"}, job_name="j"), []),
    ):
        arguments = {"filters": given}
        RULES["runs"]["get_runs"].confine(Project(), arguments)
        assert arguments["filters"] is not None
        assert arguments["filters"].tags[PROJECT_TAG] == own
        if given and given.job_name:
            assert arguments["filters"].job_name == "j"
            assert arguments["filters"].tags["a"] == "b"


def test_lists_of_assets_hold_the_own_alone() -> None:
    """Otherwise the names of another project's assets are to be had by asking for all."""
    rule = RULES["events"]["all_asset_keys"]
    assert rule.keep is not None
    assert rule.keep(Project(), [OWN, FOREIGN]) == [OWN]


def test_the_prefix_is_a_whole_name() -> None:
    """Otherwise the project `heart` owns what `heart_attack` has."""
    short = Project(asset_prefix="heart")
    for arguments in ({"asset_key": OWN}, {"asset_key": None}):
        with pytest.raises(RefusedError):
            RULES["events"]["has_asset_key"].confine(short, arguments)
