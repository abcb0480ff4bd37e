"""What MLflow's client finds in a step: an address of this process, from which each request goes to the wall.

The step has no network but its own loopback. A thread listens there, and passes what it is asked to the
storage service, with the step's capability; the node decides what is open, and asks the project's server. So
the client works as it is, and so does whatever else speaks MLflow's HTTP, in processes that the step starts.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Iterator
from io import BufferedIOBase
from typing import IO, Any

from phems.contract.mlflow import CHUNK_BYTES, REQUEST_HEADERS, prefix_of
from phems.errors import InputError, PhemsError
from phems.host.storage_client import StorageClient

ADDRESS, TOKEN = "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"
_STATUS = {"InputError": 400, "RefusedError": 403, "NotFoundError": 404}


@contextlib.contextmanager
def mlflow_relay(project: str, client: StorageClient) -> Iterator[None]:
    """Have MLflow's client in this process find the project's server."""
    token = secrets.token_urlsafe(24)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        relay = _Relay(listening, token, client)
        threading.Thread(target=relay.serve, name="phems-mlflow", daemon=True).start()
        before = {name: os.environ.get(name) for name in (ADDRESS, TOKEN)}
        port = listening.getsockname()[1]
        # The token opens this thread's door alone: without a sandbox, others share the loopback.
        os.environ.update({ADDRESS: f"http://127.0.0.1:{port}{prefix_of(project)}", TOKEN: token})
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)  # wakes up who accepts


class _Relay:
    def __init__(self, listening: socket.socket, token: str, client: StorageClient) -> None:
        self._listening = listening
        self.token = token
        self.client = client

    def serve(self) -> None:
        while True:
            try:
                peer, address = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=[peer, address], daemon=True).start()

    def _converse(self, peer: socket.socket, address: Any) -> None:
        # What goes wrong here the client sees by its connection, which ends.
        with peer, contextlib.suppress(OSError, PhemsError, ValueError):
            _Handler(peer, address, self)  # type: ignore[arg-type]


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client, with one of its own to the wall."""

    protocol_version = "HTTP/1.1"
    server: _Relay  # type: ignore[assignment]

    def setup(self) -> None:
        super().setup()
        self._client = self.server.client.another()

    def finish(self) -> None:
        super().finish()
        self._client.close()

    def log_message(self, *_: Any) -> None:
        """Nothing: what a step prints is its own."""

    def _pass_on(self) -> None:
        with self._body() as (body, length):
            try:
                self._check_token()
                answer = self._ask(body, length)
            except PhemsError as error:
                self._refuse(error)
                return
        self.send_response(answer["status"])
        for name, value in answer["headers"].items():
            if name != "content-length":
                self.send_header(name, value)
        if "content-length" in answer["headers"]:
            self.send_header("content-length", answer["headers"]["content-length"])
            self.end_headers()
            self._send(answer["chunk"], framed=False)
        else:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self._send(answer["chunk"], framed=True)
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 (http.server's names)

    def _check_token(self) -> None:
        given = self.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), self.server.token.encode()):
            raise InputError(f"Only this step's own client is answered here: {TOKEN} is missing.")

    def _ask(self, body: IO[bytes], length: int) -> dict[str, Any]:
        headers = {
            name.lower(): value for name, value in self.headers.items() if name.lower() in REQUEST_HEADERS
        }
        # A large body is read once it is known that it may be sent.
        first = body.read(length) if length <= CHUNK_BYTES else b""
        asked = (self.command, self.path, headers, length, _text(first))
        answer = self._client.call("mlflow", "ask", asked, {})
        while answer is None:
            answer = self._client.call("mlflow", "more", (_text(body.read(CHUNK_BYTES)),), {})
        found: dict[str, Any] = answer
        return found

    def _send(self, chunk: str, *, framed: bool) -> None:
        while data := base64.b64decode(chunk):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if framed else data)
            if self.command == "HEAD" or len(data) < CHUNK_BYTES:
                return
            chunk = self._client.call("mlflow", "rest", (), {})

    def _refuse(self, error: PhemsError) -> None:
        # MLflow's client shows `message`.
        self.close_connection = True  # of its body, something may not have been read
        told = json.dumps({"error_code": "PERMISSION_DENIED", "message": str(error)}).encode()
        self.send_response(_STATUS.get(type(error).__name__, 503))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    @contextlib.contextmanager
    def _body(self) -> Iterator[tuple[IO[bytes], int]]:
        """The body of the request, and its length: the wall is told that first."""
        with tempfile.SpooledTemporaryFile(CHUNK_BYTES) as kept:
            if "chunked" in self.headers.get("transfer-encoding", ""):
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    kept.write(self.rfile.read(size))
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass  # trailers
                length = kept.tell()
                kept.seek(0)
                yield kept, length
            else:
                length = int(self.headers.get("content-length", 0))
                yield _Exactly(self.rfile, length), length  # type: ignore[misc]


class _Exactly:
    """So many bytes of a connection, which stays open after them; what was not read is, in the end."""

    def __init__(self, source: BufferedIOBase, left: int) -> None:
        self._source = source
        self._left = left

    def read(self, size: int) -> bytes:
        found = self._source.read(min(size, self._left))
        self._left -= len(found)
        return found


def _text(chunk: bytes) -> str:
    return base64.b64encode(chunk).decode("ascii")
