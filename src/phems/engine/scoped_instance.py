"""The node's Dagster instance as one person may use it, for the time of one request.

It shares everything with the node's own but the storages and the captured logs, which are scoped. A run
is made and submitted by the node's own instance, once it is known to be of the person's projects: the
stamps that say whose a run is come with its submission.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phems.engine._dagster import DagsterRun, as_dict
from phems.engine.instance import NodeInstance, PlainLogs
from phems.engine.person import Person
from phems.engine.scoped_storages import ScopedEventLogStorage, ScopedRunStorage, ScopedScheduleStorage
from phems.engine.storage_rules import not_yours
from phems.engine.tags import PROJECT_TAG
from phems.errors import NotFoundError, RefusedError

# What stands second in the key of a step's log, after the run.
_OF_STEPS = "compute_logs"


class ScopedLogs(PlainLogs):
    """Captured output of the runs whose logs the person may read."""

    def __init__(self, logs: PlainLogs, person: Person) -> None:
        # It shares the node's folder and the watch on it.
        self.__dict__.update(vars(logs))
        self._person = person

    def get_captured_local_path(
        self,
        log_key: Sequence[str],
        extension: str,
        partial: bool = False,  # noqa: FBT001, FBT002 (Dagster's)
    ) -> str:
        """Where the log of a key lies; raises `NotFoundError` for what is not the person's to read."""
        self._check(log_key)
        return super().get_captured_local_path(log_key, extension, partial)

    def subscribe(self, log_key: Sequence[str], cursor: str | None = None) -> Any:
        """What is being written to a log."""
        self._check(log_key)
        return super().subscribe(log_key, cursor)

    def get_log_data_for_type(
        self, log_key: Sequence[str], io_type: Any, offset: int | None = 0, max_bytes: int | None = None
    ) -> Any:
        """What is in a log. The node keeps none of what a schedule's or sensor's tick said: it is empty."""
        if list(log_key[1:2]) != [_OF_STEPS]:
            return None, offset
        return super().get_log_data_for_type(log_key, io_type, offset, max_bytes)

    def get_log_keys_for_log_key_prefix(self, log_key_prefix: Sequence[str], io_type: Any) -> Any:
        """The logs of one run, when they are the person's to read."""
        self._check(log_key_prefix)
        return super().get_log_keys_for_log_key_prefix(log_key_prefix, io_type)

    def _check(self, log_key: Sequence[str]) -> None:
        if not log_key or not self._person.may_read_log(log_key[0]):
            raise NotFoundError("There are no such logs.")


class ScopedInstance(NodeInstance):
    """See the module's docstring."""

    def __init__(self, node: NodeInstance, person: Person) -> None:
        # Not the base's __init__: it would make the storages' and the coordinator's instance this one.
        self.__dict__.update({name: part for name, part in vars(node).items() if name != "run_domain"})
        self._node = node
        self._person = person
        self._run_storage = ScopedRunStorage(node.run_storage, person)
        self._event_storage = ScopedEventLogStorage(node.event_log_storage, person)
        self._schedule_storage = ScopedScheduleStorage(node.schedule_storage, person)
        for storage in (self._run_storage, self._event_storage, self._schedule_storage):
            storage.register_instance(self)
        self._compute_log_manager = ScopedLogs(node.plain_logs, person)

    def create_run(self, **parts: Any) -> DagsterRun:
        """Make a run of one of the person's own projects."""
        self._check_location(parts["remote_job_origin"])
        return self._node.create_run(**parts)

    def create_reexecuted_run(self, *, parent_run: DagsterRun, **parts: Any) -> DagsterRun:
        """Make a run anew, from one of the person's own."""
        self._check_location(parent_run.remote_job_origin)
        return self._node.create_reexecuted_run(parent_run=parent_run, **parts)

    def submit_run(self, run_id: str, workspace: Any) -> DagsterRun:
        """Submit a run of one of the person's own projects."""
        run = self._node.get_run_by_id(run_id)
        self._check_location(run.remote_job_origin if run else None)
        return self._node.submit_run(run_id, workspace)

    def launch_run(self, run_id: str, workspace: Any) -> DagsterRun:  # noqa: ARG002
        """Never: runs are submitted, and the daemon launches them."""
        raise RefusedError("A run is submitted, not launched.", remedy="phems run launch")

    def resume_run(self, run_id: str, workspace: Any, attempt_number: int) -> DagsterRun:  # noqa: ARG002
        """Never: the daemon resumes runs."""
        raise RefusedError("A run is submitted, not resumed.", remedy="phems run launch")

    def get_concurrency_config(self) -> Any:
        """The node's settings; of the projects' limits, those of the person's own."""
        config = self._node.get_concurrency_config()
        queue = config.run_queue_config
        if queue is None or self._person.sees_all:
            return config
        limits = [
            limit
            for limit in queue.tag_concurrency_limits
            if limit["key"] != PROJECT_TAG or limit.get("value") in self._person.projects
        ]
        narrowed = queue._replace(tag_concurrency_limits=limits)
        return type(config)(**{**as_dict(config), "run_queue_config": narrowed})

    def dispose(self) -> None:
        """Nothing: what this instance stands on is the node's."""

    def _check_location(self, origin: Any) -> None:
        location = origin.location_name if origin is not None else ""
        if not self._person.sees_all and location not in self._person.projects:
            raise not_yours("code location", location)
