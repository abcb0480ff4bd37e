"""MLflow's own pages and interface, project by project, for people who have signed in: `/mlflow/PROJECT/`.

Each request is looked up in the table of routes and needs its verb in that project; then it goes to the
project's server, without a word of who asks. To everybody else there is no such page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from phems.contract.mlflow import ANSWER_HEADERS, PREFIX, REQUEST_HEADERS, prefix_of
from phems.domain.mlflow_routes import access_to, is_file
from phems.domain.permissions import check_may
from phems.errors import NotFoundError, UnavailableError
from phems.gateway.callers import current_caller
from phems.gateway.settings import GatewaySettings

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
ANSWER_SECONDS = 120.0
# A browser never runs what project code wrote, whatever it says it is.
FILE_HEADERS = {"content-security-policy": "sandbox; default-src 'none'", "content-disposition": "attachment"}
# MLflow's pages have no script in their HTML, and what they show comes from project code.
PAGE_HEADERS = {
    "content-security-policy": "script-src 'self' 'unsafe-eval'; worker-src 'self' blob:; object-src 'none'"
}
# Of files, only these are called what they are: a page could load any other as a script or a style.
SHOWN_TYPES = frozenset(
    {"application/json", "image/gif", "image/jpeg", "image/png", "text/csv", "text/plain"}
)


class MlflowDoor(Protocol):
    """The MLflow servers of this process."""

    def has(self, project: str) -> bool:
        """Whether a project has one."""
        ...

    def in_use(self, project: str) -> AbstractContextManager[Path]:
        """The socket of a project's server, started if need be and kept for the time of the block."""
        ...


class MlflowPages:
    """The routes."""

    def __init__(self, servers: MlflowDoor, settings: GatewaySettings) -> None:
        self._servers = servers
        self._membership = settings.membership

    def routes(self) -> list[Route]:
        """For the gateway."""
        return [
            Route(f"{PREFIX}/{{project}}", self._lead_on, methods=["GET"]),
            Route(f"{PREFIX}/{{project}}/{{rest:path}}", self._pass_on, methods=METHODS),
        ]

    async def _lead_on(self, request: Request) -> Response:
        return RedirectResponse(f"{self._known(request)}/", status_code=308)

    async def _pass_on(self, request: Request) -> Response:
        begin = self._known(request)
        project = request.path_params["project"]
        # As it was sent: what is decided on and what is passed on are the same words.
        sent = request.scope["raw_path"].decode("ascii", "replace")
        if not sent.startswith(f"{begin}/"):
            raise NotFoundError("There is no such page.")
        query = request.scope["query_string"].decode("ascii", "replace")
        target = f"{sent}?{query}" if query else sent
        below = target.removeprefix(begin)
        name = _caller_name()
        check_may(name, self._membership.roles(name, project), access_to(request.method, below).verb, project)
        headers = {name: value for name, value in request.headers.items() if name in REQUEST_HEADERS}
        headers["accept-encoding"] = "identity"  # bytes are passed on as they are
        body = await request.body()
        use = self._servers.in_use(project)
        socket = await run_in_threadpool(use.__enter__)
        client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket), verify=False),
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )

        async def close() -> None:
            await client.aclose()
            use.__exit__(None, None, None)

        try:
            asked = client.build_request(
                request.method, f"http://mlflow{target}", headers=headers, content=body
            )
            answer = await client.send(asked, stream=True)
        except httpx.HTTPError as error:
            await close()
            raise UnavailableError("The project's MLflow server does not answer.", why=repr(error)) from error
        except BaseException:
            await close()
            raise
        kept = {name: value for name, value in answer.headers.items() if name in ANSWER_HEADERS}
        kept |= _of_file(kept) if is_file(below) else PAGE_HEADERS
        return _Streamed(close, answer.aiter_raw(), status_code=answer.status_code, headers=kept)

    def _known(self, request: Request) -> str:
        """Where the project's MLflow begins; `NotFoundError` in the same words for another's and none."""
        project = request.path_params["project"]
        if not self._membership.may_in(_caller_name(), project, "mlflow.read") or not self._servers.has(
            project
        ):
            raise NotFoundError(
                f"There is no MLflow of a project {project!r} here for you.",
                why="no such project exists, it has no MLflow, or you have no role that may look at it.",
                remedy="The projects page lists those that you have a role in.",
            )
        return prefix_of(project)


def _of_file(headers: Mapping[str, str]) -> Mapping[str, str]:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        FILE_HEADERS if kind in SHOWN_TYPES else {**FILE_HEADERS, "content-type": "application/octet-stream"}
    )


def _caller_name() -> str:
    caller = current_caller.get()
    return caller.name if caller is not None else ""


class _Streamed(StreamingResponse):
    """An answer that is passed on as it comes; `close` is called in the end, whoever has left by then."""

    def __init__(self, close: Callable[[], Coroutine[Any, Any, None]], content: Any, **how: Any) -> None:
        super().__init__(content, **how)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await asyncio.shield(self._close())
