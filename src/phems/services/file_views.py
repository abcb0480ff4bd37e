"""Looking at a file of a release request: audited, then read by a walled process, never by the node."""

from __future__ import annotations

from phems.domain.actors import Actor
from phems.domain.file_views import FileQuery, FileView, ViewOrder
from phems.domain.output_checks import CheckedFile
from phems.domain.outputs import name_of
from phems.services.ports.artifacts import FrozenFiles
from phems.services.ports.file_views import FileViewer
from phems.services.project_access import ProjectAccess
from phems.services.releases import Releases


class FileViews:
    """The use case of who reviews a file by eye."""

    def __init__(
        self, releases: Releases, frozen: FrozenFiles, viewer: FileViewer, access: ProjectAccess
    ) -> None:
        self._releases = releases
        self._frozen = frozen
        self._viewer = viewer
        self._access = access

    def view(
        self, actor: Actor, name: str, path: str, query: FileQuery, *, turn: int | None = None
    ) -> FileView:
        """A part of a frozen file. That somebody looked is in the audit log before they see anything."""
        request, file = self._releases.looked_at(actor, name, path, turn=turn)
        rules = self._access.rules(request.project)
        if rules.needs_sandbox and not self._viewer.is_isolating:
            return FileView(
                "none",
                note=f"the policy '{rules.policy}' has files read in a sandbox alone, and there is none here",
            )
        looked_at = CheckedFile(
            path=file.path,
            name=name_of(file.path),
            request_id=name,
            state=request.state.value,
            turn=request.turn,
            sha256=file.sha256,
            size=file.size,
            media_type=file.media_type,
            run_id=file.run_id,
            place=self._frozen.folder(name, request.turn) / file.path,
            declaration=file.declaration,
        )
        return self._viewer.view(ViewOrder(looked_at, query))
