"""A server's one way to its files where they lie in a bucket: a Unix socket, to those of its project alone.

The sandbox has no network, and the bucket's credentials are the node's. So the node keeps and fetches what
the server names: PUT and GET of a path, and GET of `?in=<path>` for what lies in a folder, as JSON.
"""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import parse_qs, unquote, urlsplit

from phems.contract.mlflow import CHUNK_BYTES, FILE_DIGEST, FILE_SOCKET
from phems.errors import InputError, PhemsError

_SILENCE_SECONDS = 120.0
_LOG = logging.getLogger("phems.mlflow")


class Files(Protocol):
    """The files of one project's MLflow."""

    def write(self, path: str, chunks: Iterable[bytes], *, size: int, sha256: str) -> None:
        """Keep a file whole, or raise `InputError` and keep nothing; it replaces one of that name."""
        ...

    def read(self, path: str) -> tuple[int, Iterator[bytes]] | None:
        """A file's size and its bytes; None when there is none."""
        ...

    def entries(self, path: str) -> Iterator[tuple[str, int | None]]:
        """Name and size of what lies in a folder, the empty path being that of all; a folder has no size."""
        ...


class FileDoor:
    """Listens in a folder until closed."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._path = folder / FILE_SOCKET
        self._path.unlink(missing_ok=True)
        self._server = _Server(str(self._path), _Handler)
        self._server.files = files
        threading.Thread(target=self._server.serve_forever, name="phems-mlflow-files", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16
    files: Files

    def handle_error(self, *_: object) -> None:
        """A request that came to nothing, on record in the node's log."""
        _LOG.exception("a file of MLflow could not be kept or fetched")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE_SECONDS

    def do_PUT(self) -> None:
        """Keep a file."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            self._answer(HTTPStatus.LENGTH_REQUIRED, 0, [])
            self.close_connection = True  # what may follow is no request
            return
        body = self._body(int(length))
        try:
            digest = str(self.headers.get(FILE_DIGEST, ""))
            self.server.files.write(self._asked()[0], body, size=int(length), sha256=digest)
        except PhemsError as error:
            for _ in body:  # who still sends does not hear why
                pass
            self._refuse(error)
            return
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def do_GET(self) -> None:
        """A file, or what lies in a folder."""
        try:
            path, folder = self._asked()
            if folder is not None:
                entries = [{"name": name, "size": size} for name, size in self.server.files.entries(folder)]
                said = json.dumps(entries).encode()
                self._answer(HTTPStatus.OK, len(said), [said])
                return
            found = self.server.files.read(path)
            if found is None:
                self._answer(HTTPStatus.NOT_FOUND, 0, [])
            else:
                self._answer(HTTPStatus.OK, *found)
        except PhemsError as error:
            self._refuse(error)

    def _asked(self) -> tuple[str, str | None]:
        """The path of a file, and the folder that is asked about instead."""
        asked = urlsplit(self.path)
        folder = parse_qs(asked.query, keep_blank_values=True).get("in")
        return unquote(asked.path).removeprefix("/"), folder[0] if folder else None

    def _body(self, left: int) -> Iterator[bytes]:
        while left > 0:
            chunk = self.rfile.read(min(left, CHUNK_BYTES))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk

    def _answer(self, status: HTTPStatus, size: int, chunks: Iterable[bytes]) -> None:
        self.send_response(status)
        self.send_header("content-length", str(size))
        self.end_headers()
        held = b""
        try:
            for chunk in chunks:
                self.wfile.write(held)
                held = chunk
            # Only when all is read is it known to be what was kept: until then its end is held back.
            self.wfile.write(held)
        except OSError:  # who asked has gone
            self.close_connection = True
        except PhemsError:
            # Too late for another answer: who reads finds that it is too short.
            _LOG.exception("a file of MLflow could not be read to its end")
            self.close_connection = True

    def _refuse(self, error: PhemsError) -> None:
        said, is_theirs = str(error).encode(), isinstance(error, InputError)
        status = HTTPStatus.BAD_REQUEST if is_theirs else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, len(said), [said])

    def log_message(self, *_: object) -> None:
        """Nothing: the names of files are the project's."""
