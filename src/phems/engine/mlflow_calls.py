"""What steps ask of their project's MLflow server, as calls of the storage service.

One HTTP request is a few calls over one connection: `ask` begins it, `more` carries the rest of a large body,
`rest` fetches the rest of a large answer. What may be asked stands in `phems.domain.mlflow_routes`. A further
call, `run`, gives the one MLflow run of the step's Dagster run.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dagster import DagsterInstance

from phems.contract.capability import Capability
from phems.contract.mlflow import ANSWER_HEADERS, CHUNK_BYTES, REQUEST_HEADERS, prefix_of
from phems.domain.mlflow_routes import access_to
from phems.engine.mlflow_runs import run_of
from phems.errors import InputError, RefusedError

CALLS = frozenset({"ask", "more", "rest", "run"})


class MlflowExchange(Protocol):
    """One HTTP request to a server, and its answer."""

    def send(self, chunk: bytes) -> None:
        """Send a part of the body."""
        ...

    def answer(self) -> tuple[int, Mapping[str, str]]:
        """Status and headers, once the whole body was sent."""
        ...

    def read(self, size: int) -> bytes:
        """A part of the answer's body; empty at its end."""
        ...

    def close(self) -> None:
        """Be done with it. Idempotent."""
        ...


class StepsMlflow(Protocol):
    """The MLflow servers of projects, as the storage service needs them; each is started when it is asked."""

    def begin(
        self, project: str, method: str, target: str, headers: Mapping[str, str], length: int
    ) -> MlflowExchange:
        """Begin a request; `target` is the whole path with its query, `length` the bytes of its body."""
        ...

    def ask(self, project: str, method: str, path: str, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask something of the node's own: the answer's JSON, or None when there is no such thing."""
        ...

    def longest_body(self, project: str) -> int:
        """How many bytes a body may have."""
        ...


@dataclass
class MlflowCalls:
    """The requests of one connection: one after another."""

    servers: StepsMlflow | None
    instance: DagsterInstance
    capability: Callable[[], Capability]
    _exchange: MlflowExchange | None = None
    _left: int = 0

    def call(self, method: str, args: list[Any]) -> Any:
        """Answer one call; raises `RefusedError` for what is not the step's to ask."""
        capability = self.capability()
        if self.servers is None or capability.kind != "step":
            raise RefusedError("Only a step asks MLflow, where its project has it.")
        match method, args:
            case "run", []:
                return run_of(self.instance, self.servers.ask, capability.project, capability.run_id or "")
            case "ask", [str(verb), str(target), dict(headers), int(length), str(chunk)]:
                return self._ask(self.servers, capability.project, verb, target, headers, length, chunk)
            case "more", [str(chunk)]:
                return self._more(_bytes(chunk))
            case "rest", []:
                return _text(self._current().read(CHUNK_BYTES))
        raise InputError(f"mlflow.{method} was called with wrong arguments.")

    def close(self) -> None:
        """End what is under way."""
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def _ask(
        self,
        servers: StepsMlflow,
        project: str,
        method: str,
        target: str,
        headers: Mapping[Any, Any],
        length: int,
        chunk: str,
    ) -> dict[str, Any] | None:
        self.close()
        begin = prefix_of(project)
        if not target.startswith(f"{begin}/"):
            raise RefusedError("A step asks the MLflow server of its own project.")
        if not access_to(method, target.removeprefix(begin)).steps:
            raise RefusedError("This part of MLflow is for people.")
        most = servers.longest_body(project)
        if not 0 <= length <= most:
            raise RefusedError(
                f"A body of {length} bytes is more than a file of this project may have: {most}."
            )
        kept = {name: str(value) for name, value in headers.items() if name in REQUEST_HEADERS}
        self._exchange = servers.begin(project, method, target, kept, length)
        self._left = length
        return self._more(_bytes(chunk))

    def _more(self, chunk: bytes) -> dict[str, Any] | None:
        exchange = self._current()
        if len(chunk) > self._left:
            raise InputError("The body is longer than was announced.")
        if chunk:
            exchange.send(chunk)
            self._left -= len(chunk)
        if self._left:
            return None
        status, headers = exchange.answer()
        told = {name: value for name, value in headers.items() if name.lower() in ANSWER_HEADERS}
        return {"status": status, "headers": told, "chunk": _text(exchange.read(CHUNK_BYTES))}

    def _current(self) -> MlflowExchange:
        if self._exchange is None:
            raise InputError("No request to MLflow is under way.")
        return self._exchange


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("A part of a body is not base64.") from error


def _text(chunk: bytes) -> str:
    return base64.b64encode(chunk).decode("ascii")
