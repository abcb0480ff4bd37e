"""A Code Repo's server for tests: Git's own `http-backend` behind TLS, for who has the token."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.certificates import Issued


@dataclass
class Behaviour:
    """What the server does, and what it was asked; a test may change it."""

    root: Path
    """Repos lie below it."""
    token: str | None = None
    redirect_to: str | None = None
    hangs: threading.Event | None = None
    """Answers wait for it."""
    asked: list[str] = field(default_factory=list)
    """The paths, and whether a credential came with them."""


class GitServer:
    """Listens on 127.0.0.1 for the time of a `with` block."""

    def __init__(self, root: Path, issued: Issued, *, token: str | None = None) -> None:
        self.behaviour = behaviour = Behaviour(root, token)

        class Handler(_Handler):
            server_behaviour = behaviour

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True

    def address(self, repo: str) -> str:
        """Where a repo below the root is read."""
        return f"https://127.0.0.1:{self._server.server_port}/{repo}"

    def __enter__(self) -> Self:
        serve = partial(self._server.serve_forever, poll_interval=0.02)
        threading.Thread(target=serve, name="git-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.behaviour.hangs is not None:
            self.behaviour.hangs.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_behaviour: Behaviour

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_arguments: Any) -> None:
        """Not to the test's output."""

    def _answer(self, body: bytes) -> None:
        behaviour = self.server_behaviour
        shown = self.headers.get("Authorization", "")
        behaviour.asked.append(f"{self.path} {'with' if shown else 'without'} a credential")
        if behaviour.hangs is not None:
            behaviour.hangs.wait()
        if behaviour.redirect_to is not None:
            self.send_response(302)
            self.send_header("Location", behaviour.redirect_to + self.path)
            self._end()
        elif behaviour.token is not None and shown != _basic(behaviour.token):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self._end()
        else:
            self._serve(body)

    def _end(self) -> None:
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        folder = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True)
        done = subprocess.run(
            [f"{folder.stdout.strip()}/git-http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "GIT_PROJECT_ROOT": str(self.server_behaviour.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"git:{token}".encode()).decode()
