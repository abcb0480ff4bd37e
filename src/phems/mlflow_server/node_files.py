"""MLflow's files where they do not lie in a folder of its sandbox: the node keeps them, at a Unix socket.

MLflow asks its artifact repository, of which this is one; `adapters.mlflow.file_door` answers.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry

from phems.contract.mlflow import CHUNK_BYTES, FILE_DIGEST, FILE_SCHEME
from phems.contract.unix_http import UnixConnection

_SECONDS = 300.0
_CODES = {400: INVALID_PARAMETER_VALUE, 404: RESOURCE_DOES_NOT_EXIST}


class NodeFiles(ArtifactRepository):
    """See MLflow's `ArtifactRepository`; paths are relative to the root of the project's files."""

    def __init__(self, artifact_uri: str, *places: Any, **named: Any) -> None:
        super().__init__(artifact_uri, *places, **named)
        self._socket = urlsplit(artifact_uri).path

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Keep a file."""
        path = posixpath.join(artifact_path or "", Path(local_file).name)
        with Path(local_file).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.seek(0, 2)
            file.seek(0)
            headers = {"content-length": str(size), FILE_DIGEST: digest}
            self._ask("PUT", f"/{quote(path)}", file, headers)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Keep all files of a folder."""
        top = Path(local_dir)
        for file in sorted(top.rglob("*")):
            if file.is_file():
                folder = posixpath.join(artifact_path or "", file.parent.relative_to(top).as_posix())
                self.log_artifact(str(file), posixpath.normpath(folder))

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """What lies in a folder; nothing for a file."""
        folder = posixpath.normpath(path).strip("/") if path else ""
        folder = "" if folder == "." else folder
        said = self._ask("GET", f"/?{urlencode({'in': folder})}")
        return [
            FileInfo(posixpath.join(folder, each["name"]), each["size"] is None, each["size"])
            for each in json.loads(said)
        ]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with Path(local_path).open("wb") as file:
            self._ask("GET", f"/{quote(remote_file_path)}", into=file)

    def _ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        into: Any = None,
    ) -> bytes:
        connection = UnixConnection(self._socket, host="node", seconds=_SECONDS)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            if answer.status >= 300:  # noqa: PLR2004 (HTTP)
                said = answer.read().decode(errors="replace") or f"No such artifact: {target}"
                raise MlflowException(said, error_code=_CODES.get(answer.status, INTERNAL_ERROR))
            if into is None:
                return answer.read()
            left = int(answer.headers["content-length"])
            while chunk := answer.read(CHUNK_BYTES):
                left -= into.write(chunk)
            if left:
                raise MlflowException(f"The node could not read {target} to its end; its log says why.")
            return b""
        finally:
            connection.close()


def register() -> None:
    """Have MLflow use it for addresses of its scheme."""
    _artifact_repository_registry.register(FILE_SCHEME, NodeFiles)  # type: ignore[no-untyped-call]
