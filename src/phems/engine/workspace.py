"""Dagster's workspace over the project hosts: one code location per project, checked as it is loaded.

What a code server says of itself comes from project code. A location whose assets lie outside its
project's prefix is rejected here, whatever the host let pass; a host that failed shows why.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from weakref import WeakKeyDictionary

from phems.contract.step_order import code_server_id
from phems.engine._dagster import (
    BaseWorkspaceRequestContext,
    CodeLocationEntry,
    CodeLocationLoadStatus,
    CodeLocationOrigin,
    CurrentWorkspace,
    DefinitionsSource,
    GrpcServerCodeLocationOrigin,
    SerializableErrorInfo,
    WorkspaceLoadTarget,
    WorkspaceProcessContext,
    serializable_error_info_from_exc_info,
)
from phems.engine.code_server_client import CodeServerClient
from phems.engine.hosts import HostPool, HostState
from phems.engine.instance import NodeInstance
from phems.engine.project_location import ProjectLocation, RefusedAnswer
from phems.errors import RefusedError


class ProjectLocations(WorkspaceLoadTarget):
    """The code locations that exist now: those of projects with an approved revision."""

    def __init__(self, hosts: HostPool) -> None:
        self._hosts = hosts

    def create_origins(self) -> Sequence[CodeLocationOrigin]:
        """One origin per project, at a socket that only the control plane may replace."""
        return [
            GrpcServerCodeLocationOrigin(
                host="localhost", socket=str(self._hosts.location_socket(project)), location_name=project
            )
            for project in self._hosts.projects()
        ]

    def origin_of(self, project: str) -> CodeLocationOrigin | None:
        """The project's; None when it has no approved revision."""
        return next((each for each in self.create_origins() if each.location_name == project), None)


class NodeWorkspace(WorkspaceProcessContext):
    """The workspace that the web server and the daemon share."""

    def __init__(
        self,
        instance: NodeInstance,
        hosts: HostPool,
        prefix_of: Callable[[str], str],
        on_refusal: RefusedAnswer,
    ) -> None:
        self._hosts = hosts
        self.node_instance = instance
        self.prefix_of = prefix_of
        self._on_refusal = on_refusal
        self._shown_code: dict[str, str] = {}
        self._looked_at: dict[str, str] = {}
        self._taken_in: dict[str, str] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._locations = ProjectLocations(hosts)
        super().__init__(instance, self._locations)

    def _load_location(self, origin: CodeLocationOrigin, reload: bool) -> CodeLocationEntry:  # noqa: FBT001, ARG002
        project = origin.location_name
        host = self._hosts.current(project)
        if host is None or host.state is not HostState.READY:
            reason = host.error if host else ""
            return _rejected(origin, _said(reason or f"The host of project {project} is starting."))
        digest = host.plan.code_digest
        self._looked_at[project] = digest
        prefix = self.prefix_of(project)
        client = CodeServerClient(project, self._hosts.location_socket(project))
        try:
            location = ProjectLocation(origin, client, self.instance, digest, prefix, self._on_refusal)
        except Exception:  # noqa: BLE001 - whatever a code server answers, it is shown and harms no other
            return _rejected(origin, serializable_error_info_from_exc_info(sys.exc_info()))
        if not location.server_id.startswith(code_server_id(project, digest)):
            location.cleanup()
            del self._looked_at[project]  # who takes over tells, and is looked at then
            return _rejected(origin, _said(f"The host of project {project} is being replaced."))
        if foreign := sorted(set(_foreign_keys(location, prefix))):
            location.cleanup()
            return _rejected(origin, _said(_claim(project, prefix, foreign)))
        return _entry(origin, location, None, version_key=location.server_id)

    def take_in(self, project: str) -> None:
        """Have people see what the project's host serves now. Asks its code server, which may be slow.

        One look at a project follows the other: an older one is not shown after a newer one. No other
        project is asked, and what is shown of it stays.
        """
        with self._turns.setdefault(project, threading.Lock()):
            if self._hosts.is_older_serving(project):
                return  # what is shown can be launched until the host that loads takes over, and tells
            origin = self._locations.origin_of(project)
            self._looked_at.pop(project, None)
            entry = None if origin is None else self._load_location(origin, reload=False)
            with self._lock:
                shown = {**self._current_workspace.code_location_entries, project: entry}
                self._current_workspace = CurrentWorkspace(
                    {name: each for name, each in sorted(shown.items()) if each is not None}
                )
            if entry is not None and isinstance(entry.code_location, ProjectLocation):
                self._shown_code[project] = entry.code_location.code_digest
            self._taken_in[project] = self._looked_at.get(project, "")

    def reload_code_location(self, name: str) -> None:
        """Look again, for who presses Reload: a host loads its code once, and new code has a new host."""
        self.take_in(name)

    def reload_workspace(self) -> None:
        """The same of all projects."""
        for project in {*self._hosts.projects(), *self._current_workspace.code_location_entries}:
            self.take_in(project)

    def has_taken_in(self, project: str, code_digest: str) -> bool:
        """Whether people see what the host of this code revision serves, or why it was rejected."""
        return self._taken_in.get(project) == code_digest

    def code_of(self, asked: BaseWorkspaceRequestContext | None, project: str) -> str:
        """The digest of the code revision that a launch was made from.

        `asked` is the workspace as it was for who asks: people may be shown another revision by now. Where it
        has none of the project, what was shown last counts, and admission says why it does not run.
        """
        if asked is not None and asked.has_code_location(project):
            location = asked.get_code_location(project)
            if isinstance(location, ProjectLocation):
                return location.code_digest
        if project not in self._shown_code:
            raise RefusedError(
                f"The code of project {project} is not loaded.",
                why="No approved revision of it has been served yet.",
                remedy="phems status",
            )
        return self._shown_code[project]

    def _start_watch_thread(self, origin: GrpcServerCodeLocationOrigin) -> None:
        """No thread asks a code server each second how it is: the host pool tells."""


class NarrowedWorkspaces:
    """Workspaces of some projects alone. Each is made once: its asset graph takes long to build."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[CurrentWorkspace, dict[frozenset[str], CurrentWorkspace]]
        self._made = WeakKeyDictionary()

    def of(self, whole: CurrentWorkspace, projects: frozenset[str]) -> CurrentWorkspace:
        """The part of a workspace that these projects are."""
        made = self._made.setdefault(whole, {})
        if projects not in made:
            entries = {name: entry for name, entry in whole.code_location_entries.items() if name in projects}
            made[projects] = CurrentWorkspace(entries)
        return made[projects]


def _foreign_keys(location: ProjectLocation, prefix: str) -> Iterator[str]:
    """What a location would make or check outside its own prefix. To know of another's asset is no claim."""
    for repository in location.get_repositories().values():
        for node in repository.get_asset_node_snaps():
            kind = node.execution_type
            if kind is not None and kind.name != "UNEXECUTABLE" and node.asset_key.path[0] != prefix:
                yield node.asset_key.to_user_string()
        for check in repository.get_asset_check_node_snaps():
            if check.asset_key.path[0] != prefix:
                yield f"{check.asset_key.to_user_string()} (its check {check.name})"


def _claim(project: str, prefix: str, foreign: Sequence[str]) -> str:
    return (
        f"The project {project} claims assets outside its own prefix {prefix!r}: "
        f"{', '.join(foreign)}. The location is rejected. Remedy: give the assets key_prefix={prefix!r}."
    )


def _said(message: str) -> SerializableErrorInfo:
    return SerializableErrorInfo(message=message, stack=[], cls_name="ProjectHost")


def _rejected(origin: CodeLocationOrigin, error: SerializableErrorInfo) -> CodeLocationEntry:
    return _entry(origin, None, error, version_key=str(time.time()))


def _entry(
    origin: CodeLocationOrigin,
    location: ProjectLocation | None,
    error: SerializableErrorInfo | None,
    *,
    version_key: str,
) -> CodeLocationEntry:
    return CodeLocationEntry(
        origin=origin,
        code_location=location,
        load_error=error,
        load_status=CodeLocationLoadStatus.LOADED,
        display_metadata=(location or origin).get_display_metadata(),
        update_timestamp=time.time(),
        version_key=version_key,
        definitions_source=DefinitionsSource.CODE_SERVER,
    )
