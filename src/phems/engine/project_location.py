"""A project's code location as the control plane uses it: its sensors' and schedules' answers are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dagster import DagsterInstance

from phems.engine._dagster import (
    CodeLocationOrigin,
    DagsterGrpcClient,
    GrpcServerCodeLocation,
    RunsFilter,
)
from phems.engine.code_server_client import CodeServerClient
from phems.engine.instigator_rules import TickScope, check_answer
from phems.engine.tags import PROJECT_TAG
from phems.errors import RefusedError

RefusedAnswer = Callable[[str, str, str], None]
"""Called with the project, what it answered (a sensor's or schedule's name), and why it was refused."""


class ProjectLocation(GrpcServerCodeLocation):
    """Dagster's own code location over a code server, with `instigator_rules` on its answers."""

    def __init__(
        self,
        origin: CodeLocationOrigin,
        client: CodeServerClient,
        instance: DagsterInstance,
        code_digest: str,
        asset_prefix: str,
        on_refusal: RefusedAnswer,
    ) -> None:
        self.code_digest = code_digest
        """Of the revision whose definitions these are."""
        self._asset_prefix = asset_prefix
        self._on_refusal = on_refusal
        self._client = client
        super().__init__(origin, instance, watch_server=False)

    @property
    def client(self) -> DagsterGrpcClient:
        """Who asks the code server."""
        return self._client

    @client.setter
    def client(self, _client: DagsterGrpcClient) -> None:
        """Dagster's own is not used, not even for its first questions, which it asks as it is made."""

    def get_sensor_execution_data(
        self,
        instance: DagsterInstance,
        repository_handle: Any,
        name: str,
        last_tick_completion_time: float | None,
        last_run_key: str | None,
        cursor: str | None,
        log_key: Sequence[str] | None,
        last_sensor_start_time: float | None,
    ) -> Any:
        """One evaluation of a sensor; `RefusedError`, audited, when it asks for what is not its own."""
        answer = super().get_sensor_execution_data(
            instance,
            repository_handle,
            name,
            last_tick_completion_time,
            last_run_key,
            cursor,
            log_key,
            last_sensor_start_time,
        )
        return self._checked(answer, name, log_key)

    def get_schedule_execution_data(
        self,
        instance: DagsterInstance,
        repository_handle: Any,
        schedule_name: str,
        scheduled_execution_time: Any,
        log_key: Sequence[str] | None,
    ) -> Any:
        """One evaluation of a schedule; see `get_sensor_execution_data`."""
        answer = super().get_schedule_execution_data(
            instance, repository_handle, schedule_name, scheduled_execution_time, log_key
        )
        return self._checked(answer, schedule_name, log_key)

    def _checked(self, answer: Any, name: str, log_key: Sequence[str] | None) -> Any:
        scope = TickScope(self.name, self._asset_prefix, self._owns_run, log_key)
        try:
            check_answer(scope, answer)
        except RefusedError as error:
            self._on_refusal(self.name, name, error.what)
            raise
        return answer

    def _owns_run(self, run_id: str) -> bool:
        filters = RunsFilter(run_ids=[run_id], tags={PROJECT_TAG: self.name})
        return bool(self._instance.get_runs(filters, limit=1))
