"""What sandboxes show of their projects' data: the granted files of this machine; port `ProjectData`."""

from __future__ import annotations

from contextlib import suppress

from phems.domain.capsules import GrantedData
from phems.engine.run_data import Data, Shown, ShownFile
from phems.errors import UnavailableError
from phems.services.ports.clock import Clock
from phems.services.ports.data_versions import DataVersions
from phems.services.run_projects import RunProjects, Source

FILE = 2  # device and inode: enough to know a file whose content is on somebody's word


class GrantedFiles:
    """`ProjectData` by the rules in force and today's date."""

    def __init__(self, projects: RunProjects, versions: DataVersions, clock: Clock) -> None:
        self._projects = projects
        self._versions = versions
        self._clock = clock

    def shown(self, project: str) -> Shown:
        """See `ProjectData`; a file that cannot be looked at cannot be shown either."""
        shown: dict[str, ShownFile] = {}
        for name, source in self._projects(project).granted(self._clock.now().date()).items():
            with suppress(UnavailableError):
                identity = self._versions.identity(source.file)
                if identity is not None:
                    kept = identity if source.version is None else identity[:FILE]
                    shown[name] = ShownFile(source.place, source.file, kept, source.version)
        return shown

    def known(self, shown: Shown) -> Data | None:
        """See `ProjectData`."""
        said: dict[str, GrantedData] = {}
        for name, file in shown.items():
            found = None
            if file.declared is None:
                found = self._versions.known(file.file, file.identity)
                if found is None:
                    return None
            said[name] = _source(file).said(found)
        return said

    def read(self, shown: Shown) -> Data:
        """See `ProjectData`."""
        return {name: _source(file).now(self._versions) for name, file in shown.items()}


def _source(file: ShownFile) -> Source:
    return Source(file.place, file.file, file.declared)
