"""Which runs and snapshots belong to some projects: asked of the run storage, and remembered for a while."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from dagster import DagsterInstance

from phems.engine._dagster import RunsFilter
from phems.engine.tags import PROJECT_TAG


@dataclass
class Holdings:
    """What belongs to `projects`; `runs` and `job_snapshots` are those known so far.

    It lives as long as one connection or one request: a run never changes its project.
    """

    instance: DagsterInstance
    projects: Collection[str]
    runs: set[str] = field(default_factory=set)
    job_snapshots: set[str] = field(default_factory=set)

    def owns_run(self, run_id: str) -> bool:
        """Whether the run belongs to one of the projects."""
        return run_id in self.runs or bool(self.own_runs([run_id]))

    def own_runs(self, run_ids: Iterable[str]) -> set[str]:
        """Those of `run_ids` that belong to the projects."""
        wanted = set(run_ids)
        if unknown := wanted - self.runs:
            filters = RunsFilter(run_ids=list(unknown), tags={PROJECT_TAG: list(self.projects)})
            self.runs.update(self.instance.run_storage.get_run_ids(filters))
        return wanted & self.runs

    def owns_job_snapshot(self, snapshot_id: str) -> bool:
        """Whether a run of the projects has this job snapshot."""
        if snapshot_id not in self.job_snapshots:
            filters = RunsFilter(snapshot_id=snapshot_id, tags={PROJECT_TAG: list(self.projects)})
            if not self.instance.run_storage.get_run_ids(filters, limit=1):
                return False
            self.job_snapshots.add(snapshot_id)
        return True


class OfHoldings:
    """What `storage_rules.Scope` asks of runs and job snapshots, answered from a caller's holdings."""

    holdings: Holdings

    def owns_run(self, run_id: str) -> bool:
        """See `storage_rules.Scope`."""
        return self.holdings.owns_run(run_id)

    def own_runs(self, run_ids: Iterable[str]) -> set[str]:
        """See `storage_rules.Scope`."""
        return self.holdings.own_runs(run_ids)

    def owns_job_snapshot(self, snapshot_id: str) -> bool:
        """See `storage_rules.Scope`."""
        return self.holdings.owns_job_snapshot(snapshot_id)
