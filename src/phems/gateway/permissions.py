"""One request to Dagster as its maker sees the node: their projects' code, runs and assets, by their roles.

`CallerRequestContext` gives Dagster a workspace of the caller's code locations, an instance whose storages
are scoped to their projects, and its permissions, answered from our roles. Dagster checks them in its
mutations and shows buttons by them; a code location is a project. The table says which of our verbs open
a permission; an empty tuple is for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from starlette.requests import HTTPConnection

from phems.engine._dagster import (
    LOCATION_SCOPED_PERMISSIONS,
    PermissionResult,
    Permissions,
    WorkspaceRequestContext,
)
from phems.engine.person import Person, Reach
from phems.engine.scoped_instance import ScopedInstance
from phems.engine.workspace import NarrowedWorkspaces, NodeWorkspace
from phems.gateway.callers import Caller
from phems.gateway.root_fields import CANCEL, LAUNCH, LOGS, NOBODY, OPERATE, READ, RELOAD, Verbs
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


_NARROWED = NarrowedWorkspaces()


def reach_of(membership: Membership, name: str, prefix_of: Callable[[str], str]) -> Reach:
    """How far somebody sees in Dagster, and whose logs they may read."""
    projects = membership.projects_of(name, *READ)
    return Reach(
        projects=projects,
        asset_prefixes=frozenset(prefix_of(project) for project in projects),
        logs=membership.projects_of(name, *LOGS),
        sees_all=membership.may_in(name, None, *READ),
    )


class CallerRequestContext(WorkspaceRequestContext):
    """Dagster's view of one request: what is the caller's, and what they may do."""

    def __init__(
        self,
        workspace: NodeWorkspace,
        connection: HTTPConnection,
        caller: Caller | None,
        membership: Membership,
    ) -> None:
        self._node = workspace
        self._connection = connection
        self._caller = caller
        self._caller_name = caller.name if caller else ""
        self._membership = membership
        self._by_location: dict[str, Mapping[str, PermissionResult]] = {}
        reach = reach_of(membership, self._caller_name, workspace.prefix_of)
        self.person = Person(reach, workspace.node_instance)
        whole = workspace.get_current_workspace()
        super().__init__(
            instance=ScopedInstance(workspace.node_instance, self.person),
            current_workspace=whole if reach.sees_all else _NARROWED.of(whole, reach.projects),
            process_context=workspace,
            version=workspace.version,
            source=connection,
            read_only=False,
        )

    @property
    def show_instance_config(self) -> bool:
        """How the node is set up is for those who see all of it."""
        return self.person.sees_all

    def reload_code_location(self, name: str) -> CallerRequestContext:
        """Ask a code server anew what it has; gives the caller's view of it."""
        self._node.reload_code_location(name)
        return self._anew()

    def reload_workspace(self) -> CallerRequestContext:
        """The same for all of them."""
        self._node.reload_workspace()
        return self._anew()

    def _anew(self) -> CallerRequestContext:
        return CallerRequestContext(self._node, self._connection, self._caller, self._membership)

    @cached_property
    def permissions(self) -> Mapping[str, PermissionResult]:
        """What the caller may do on the whole node. Dagster asks several times for each run of a list."""
        return {name: self._result(None, verbs) for name, verbs in PERMISSION_VERBS.items()}

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        """What the caller may do in one project, found out once in a request."""
        if location_name not in self._by_location:
            self._by_location[location_name] = {
                name: self._result(location_name, PERMISSION_VERBS.get(name, NOBODY))
                for name in LOCATION_SCOPED_PERMISSIONS
            }
        return self._by_location[location_name]

    def _result(self, project: str | None, verbs: Verbs) -> PermissionResult:
        enabled = self._membership.may_in(self._caller_name, project, *verbs)
        needs = f"Needs a role that allows {' or '.join(verbs)}." if verbs else "Closed on this node."
        return PermissionResult(enabled=enabled, disabled_reason=None if enabled else needs)
