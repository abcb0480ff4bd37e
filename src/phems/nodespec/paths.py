"""Where a node keeps its things: absolute paths from the node spec and the folder of node.yaml.

Path arithmetic alone: nothing is created. Links are followed once, for `data_dir`, so that two
ways to name one folder give one `runtime_dir`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from phems.nodespec.code import Code, RemoteRepo
from phems.nodespec.models import NodeSpec
from phems.nodespec.names import is_elsewhere

# Not the TMPDIR of whoever calls: a command in another shell must find the node's sockets, and a
# socket's path may have 108 bytes at most.
SHORT_TMP = Path("/tmp")  # noqa: S108 (the folder in it is made with mode 0700 and its owner checked)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePaths:
    """Absolute paths of one node."""

    folder: Path
    """The Node Repo: where node.yaml lies."""
    data_dir: Path
    release_zone: Path
    runtime_dir: Path
    """Unix sockets, in a short path of their own; gone after a restart of the machine."""

    @property
    def spec(self) -> Path:
        return self.folder / "node.yaml"

    @property
    def postgres(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def keys(self) -> Path:
        """Keys and passwords, mode 0700."""
        return self.data_dir / "keys"

    @property
    def logs(self) -> Path:
        """Compute logs, a folder for each run."""
        return self.data_dir / "logs"

    @property
    def lineage(self) -> Path:
        """OpenLineage events, where node.yaml asks for a file of them."""
        return self.data_dir / "lineage"

    @property
    def audit(self) -> Path:
        return self.data_dir / "audit"

    @property
    def checkpoint(self) -> Path:
        """The last signed checkpoint of the audit log."""
        return self.audit / "checkpoint"

    def anchored(self, name: str) -> Path:
        """The checkpoint of the audit log that an outside anchor has, as the node remembers it."""
        return self.audit / "anchors" / name

    @property
    def status(self) -> Path:
        """What the running node says of itself."""
        return self.data_dir / "status.json"

    @property
    def lock(self) -> Path:
        """Held by the one node that uses data_dir."""
        return self.data_dir / "lock"

    def artifacts(self, project: str) -> Path:
        """A project's artifact area."""
        return self.data_dir / "artifacts" / project

    def fetched(self, project: str) -> Path:
        """What the node fetched from the bucket for a project's steps, which read it and cannot write it."""
        return self.data_dir / "fetched" / project

    @property
    def mlflow_key(self) -> Path:
        """The key that the passwords of MLflow's roles come of."""
        return self.keys / "mlflow.key"

    def mlflow(self, project: str) -> Path:
        """What a project's MLflow server keeps in files."""
        return self.data_dir / "mlflow" / project

    @property
    def outgoing(self) -> Path:
        """Release packages on their way to a bucket."""
        return self.data_dir / "outgoing"

    @property
    def s3_credentials(self) -> Path:
        """The credentials for the S3-compatible service, where they are kept in a file."""
        return self.keys / "s3-credentials"

    def code_mount(self, project: str) -> Path:
        """A project's Code Mount: a folder for each approved code revision, named by its digest."""
        return self.data_dir / "code" / project

    @property
    def environments(self) -> Path:
        """Python environments that were built for code revisions, by environment digest."""
        return self.data_dir / "environments"

    def resolve(self, path: str) -> Path:
        """A path of the node spec, made absolute."""
        return _absolute(self.folder, path)

    def code_repo(self, code: Code) -> Path | RemoteRepo:
        """A Code Repo: an absolute folder, or what lies on another machine."""
        if code.repo.startswith("file:///"):
            return Path(unquote(code.repo.removeprefix("file://")))
        if not is_elsewhere(code.repo):
            return self.resolve(code.repo)
        return RemoteRepo(address=code.repo, branch=code.branch, folder=self.folder, remote=code.remote)

    @property
    def code_mirrors(self) -> Path:
        """What the node has fetched of Code Repos on other machines."""
        return self.data_dir / "mirrors"


def node_paths(spec: NodeSpec, folder: Path, *, tmp: Path = SHORT_TMP, uid: int | None = None) -> NodePaths:
    """The paths of the node whose node.yaml lies in `folder`."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (Path.absolute keeps "..")
    data_dir = _absolute(folder, spec.data_dir)
    digest = hashlib.sha256(os.fsencode(os.path.realpath(data_dir))).hexdigest()[:8]
    owner = os.getuid() if uid is None else uid
    return NodePaths(
        folder=folder,
        data_dir=data_dir,
        release_zone=_absolute(folder, spec.release_zone),
        runtime_dir=tmp / f"phems-{owner}-{digest}",
    )


def _absolute(folder: Path, path: str) -> Path:
    # os.path.join drops the folder when the path is absolute; normpath takes out "..".
    return Path(os.path.normpath(folder / path))
