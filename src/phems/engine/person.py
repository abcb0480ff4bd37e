"""Whose request it is, as the engine needs it: the projects of a person, and what of them was shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dagster import DagsterInstance

from phems.engine._dagster import RunsFilter
from phems.engine.holdings import Holdings, OfHoldings
from phems.engine.people_confined import own_state
from phems.engine.tags import PROJECT_TAG


@dataclass(frozen=True)
class Reach:
    """How far a person sees: some projects, or the whole node."""

    projects: frozenset[str]
    asset_prefixes: frozenset[str]
    logs: frozenset[str]
    """The projects whose captured output the person may read."""
    sees_all: bool = False


@dataclass
class Person(OfHoldings):
    """`people_confined.PersonScope` for one request."""

    reach: Reach
    node: DagsterInstance
    holdings: Holdings = field(init=False)
    plans: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.holdings = Holdings(self.node, self.reach.projects)

    @property
    def sees_all(self) -> bool:
        """Whether the person sees the whole node."""
        return self.reach.sees_all

    @property
    def projects(self) -> Collection[str]:
        """See `storage_rules.Scope`."""
        return self.reach.projects

    @property
    def asset_prefixes(self) -> Collection[str]:
        """See `storage_rules.Scope`."""
        return self.reach.asset_prefixes

    def owns_plan_snapshot(self, snapshot_id: str) -> bool:
        """See `storage_rules.Scope`: people come to a plan by its run."""
        return snapshot_id in self.plans

    def owns_instigator(self, selector_id: str | None) -> bool:
        """See `people_confined.PersonScope`."""
        return selector_id in self._instigators

    def owns_backfill(self, backfill_id: str) -> bool:
        """See `people_confined.PersonScope`."""
        backfill = self.node.run_storage.get_backfill(backfill_id)
        return backfill is not None and backfill.tags.get(PROJECT_TAG) in self.projects

    def has_shown(self, runs: Iterable[Any]) -> None:
        """See `people_confined.PersonScope`."""
        for run in runs:
            self.holdings.runs.add(run.run_id)
            if run.job_snapshot_id:
                self.holdings.job_snapshots.add(run.job_snapshot_id)
            if run.execution_plan_snapshot_id:
                self.plans.add(run.execution_plan_snapshot_id)

    def has_shown_snapshot(self, snapshot_id: str) -> None:
        """See `people_confined.PersonScope`."""
        self.holdings.job_snapshots.add(snapshot_id)

    def may_read_log(self, run_id: str) -> bool:
        """Whether the person may read what a run's steps printed."""
        if not self.sees_all and not self.owns_run(run_id):
            return False
        return bool(Holdings(self.node, self.reach.logs).own_runs([run_id]))

    def projects_of_runs(self, run_ids: Iterable[str]) -> set[str]:
        """The projects of those runs that are the person's own to see."""
        wanted = [str(run_id) for run_id in run_ids]
        if not wanted:
            return set()
        tags = {} if self.sees_all else {PROJECT_TAG: list(self.projects)}
        runs = self.node.run_storage.get_runs(RunsFilter(run_ids=wanted, tags=tags), limit=100)
        return {run.tags[PROJECT_TAG] for run in runs if PROJECT_TAG in run.tags}

    @cached_property
    def _instigators(self) -> frozenset[str]:
        storage = self.node.schedule_storage
        states = storage.all_instigator_state() if storage is not None else ()
        return frozenset(state.selector_id for state in states if own_state(self.projects, state))
