"""Requests to the MLflow server of a project, over its Unix socket: those of steps, and the node's own."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

from phems.adapters.mlflow.servers import MlflowServers
from phems.contract.mlflow import prefix_of
from phems.contract.unix_http import UnixConnection
from phems.errors import UnavailableError

HOST = "mlflow"
ANSWER_SECONDS = 120.0
_OK = 200


class Exchange:
    """See `engine.mlflow_calls.MlflowExchange`."""

    def __init__(
        self,
        servers: MlflowServers,
        project: str,
        method: str,
        target: str,
        headers: Mapping[str, str],
        length: int,
    ) -> None:
        self._stack = ExitStack()
        self._answer: http.client.HTTPResponse | None = None
        try:
            path = self._stack.enter_context(servers.in_use(project))
            self._connection = UnixConnection(path, host=HOST, seconds=ANSWER_SECONDS)
            self._stack.callback(self._connection.close)
            self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in {**headers, "host": HOST, "content-length": str(length)}.items():
                self._connection.putheader(name, value)
            self._connection.endheaders()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise _unreachable(error) from error
        except BaseException:
            self.close()
            raise

    def send(self, chunk: bytes) -> None:
        """Send a part of the body."""
        try:
            self._connection.send(chunk)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(error) from error

    def answer(self) -> tuple[int, Mapping[str, str]]:
        """Status and headers."""
        try:
            self._answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(error) from error
        return self._answer.status, {name.lower(): value for name, value in self._answer.getheaders()}

    def read(self, size: int) -> bytes:
        """A part of the answer's body; at its end the exchange is over."""
        if self._answer is None:
            return b""
        try:
            chunk = self._answer.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(error) from error
        if self._answer.isclosed():
            self.close()
        return chunk

    def close(self) -> None:
        """Be done with it."""
        self._stack.close()


def ask(
    servers: MlflowServers, project: str, method: str, path: str, question: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Ask the server something of the node's own: its JSON, or None when there is no such thing."""
    target = f"{prefix_of(project)}/api/2.0/mlflow/{path}"
    body = b""
    if method == "GET":
        target = f"{target}?{urlencode(question)}"
    else:
        body = json.dumps(question).encode()
    exchange = Exchange(servers, project, method, target, {"content-type": "application/json"}, len(body))
    try:
        if body:
            exchange.send(body)
        status, _ = exchange.answer()
        said = b"".join(iter(lambda: exchange.read(1 << 16), b""))
    finally:
        exchange.close()
    if status == http.HTTPStatus.NOT_FOUND:
        return None
    if status != _OK:
        raise UnavailableError(
            f"The MLflow server of project {project} refused {path}.", why=said[:300].decode(errors="replace")
        )
    found: dict[str, Any] = json.loads(said)
    return found


def _unreachable(error: Exception) -> UnavailableError:
    return UnavailableError("The project's MLflow server does not answer.", why=repr(error))
