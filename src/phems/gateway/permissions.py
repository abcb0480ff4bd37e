"""Dagster's own permissions, answered from our roles: what a person may do node-wide and in each project.

Dagster checks them in its mutations and shows buttons by them; a code location is a project. The table
says which of our verbs open a permission; an empty tuple is for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import HTTPConnection

from phems.engine._dagster import (
    LOCATION_SCOPED_PERMISSIONS,
    PermissionResult,
    Permissions,
    WorkspaceProcessContext,
    WorkspaceRequestContext,
)
from phems.gateway.callers import Caller
from phems.gateway.root_fields import CANCEL, LAUNCH, NOBODY, OPERATE, RELOAD, Verbs
from phems.gateway.settings import Membership

PERMISSION_VERBS: Mapping[Permissions, Verbs] = {
    Permissions.LAUNCH_PIPELINE_EXECUTION: LAUNCH,
    Permissions.LAUNCH_PIPELINE_REEXECUTION: LAUNCH,
    Permissions.START_SCHEDULE: LAUNCH,
    Permissions.STOP_RUNNING_SCHEDULE: LAUNCH,
    Permissions.SCHEDULE_DRY_RUN: LAUNCH,
    Permissions.EDIT_SENSOR: LAUNCH,
    Permissions.SENSOR_DRY_RUN: LAUNCH,
    Permissions.UPDATE_SENSOR_CURSOR: LAUNCH,
    Permissions.TERMINATE_PIPELINE_EXECUTION: CANCEL,
    Permissions.DELETE_PIPELINE_RUN: NOBODY,
    Permissions.RELOAD_REPOSITORY_LOCATION: RELOAD,
    Permissions.RELOAD_WORKSPACE: OPERATE,
    Permissions.WIPE_ASSETS: NOBODY,
    Permissions.REPORT_RUNLESS_ASSET_EVENTS: NOBODY,
    Permissions.LAUNCH_PARTITION_BACKFILL: LAUNCH,
    Permissions.CANCEL_PARTITION_BACKFILL: CANCEL,
    Permissions.EDIT_DYNAMIC_PARTITIONS: LAUNCH,
    Permissions.TOGGLE_AUTO_MATERIALIZE: OPERATE,
    Permissions.EDIT_CONCURRENCY_LIMIT: OPERATE,
    Permissions.EDIT_APP_MANAGED_COMPONENTS: NOBODY,
    Permissions.REFRESH_COMPONENT_STATE: NOBODY,
}


class CallerRequestContext(WorkspaceRequestContext):
    """Dagster's view of one request, with the permissions of who makes it."""

    def __init__(
        self,
        workspace: WorkspaceProcessContext,
        connection: HTTPConnection,
        caller: Caller | None,
        membership: Membership,
    ) -> None:
        self._caller_name = caller.name if caller else ""
        self._membership = membership
        super().__init__(
            instance=workspace.instance,
            current_workspace=workspace.get_current_workspace(),
            process_context=workspace,
            version=workspace.version,
            source=connection,
            read_only=False,
        )

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        """What the caller may do on the whole node."""
        return {name: self._result(None, verbs) for name, verbs in PERMISSION_VERBS.items()}

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        """What the caller may do in one project."""
        return {
            name: self._result(location_name, PERMISSION_VERBS.get(name, NOBODY))
            for name in LOCATION_SCOPED_PERMISSIONS
        }

    def _result(self, project: str | None, verbs: Verbs) -> PermissionResult:
        enabled = self._membership.may_in(self._caller_name, project, *verbs)
        needs = f"Needs a role that allows {' or '.join(verbs)}." if verbs else "Closed on this node."
        return PermissionResult(enabled=enabled, disabled_reason=None if enabled else needs)
