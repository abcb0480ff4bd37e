"""Dagster's web UI and GraphQL, as this node serves them. Importing it is slow: only `phems serve` does.

A subclass of Dagster's own web server: GraphQL by POST of JSON alone, every root field behind its rule,
and a decision for each route beside it. Per-project scoping of what is shown comes next; until then a
signed-in person with any project role reads all projects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dagster_webserver.webserver import DagsterWebserver
from graphql import GraphQLError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from phems.engine._dagster import WorkspaceProcessContext
from phems.errors import InputError, NotFoundError, PhemsError
from phems.gateway.callers import current_caller
from phems.gateway.graphql_counts import count_fields
from phems.gateway.metrics import GatewayMetrics
from phems.gateway.permissions import CallerRequestContext
from phems.gateway.replies import error_fields, error_reply
from phems.gateway.root_fields import LOGS, check, guard
from phems.gateway.settings import GatewaySettings


class NodeWebserver(DagsterWebserver[WorkspaceProcessContext, CallerRequestContext]):
    """Dagster's web server behind the door."""

    def __init__(
        self,
        workspace: WorkspaceProcessContext,
        settings: GatewaySettings,
        metrics: GatewayMetrics | None = None,
    ) -> None:
        self._membership = settings.membership
        self._metrics = metrics
        super().__init__(workspace)

    def build_graphql_schema(self) -> Any:
        """Dagster's schema with our rules before its root fields."""
        schema = super().build_graphql_schema()
        guard(schema.graphql_schema, self._membership)
        if self._metrics is not None:
            count_fields(schema.graphql_schema, self._metrics)
        return schema

    def _make_request_context(self, conn: HTTPConnection) -> CallerRequestContext:
        return CallerRequestContext(self._process_context, conn, current_caller.get(), self._membership)

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """GraphQL, by POST of one JSON object."""
        if request.method != "POST":
            error = InputError("GraphQL is asked by POST.", why="An address alone must change nothing.")
            return error_reply(request, error, status=405, headers={"Allow": "POST"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            error = InputError("GraphQL is asked in JSON.", remedy="Send Content-Type: application/json.")
            return error_reply(request, error, status=415)
        try:
            data = await request.json()
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("query"), str):
            error = InputError("The body is not one JSON object with a query.")
            return error_reply(request, error, status=400)
        answer: Response = await super().graphql_http_endpoint(request)
        return answer

    def handle_graphql_errors(self, errors: Sequence[GraphQLError]) -> list[Any]:
        """Errors for the client: ours in their own words, without a stack."""
        return [
            {**error.formatted, "message": str(ours), "extensions": {"phems": error_fields(ours)}}
            if isinstance(ours := error.original_error, PhemsError)
            else super(NodeWebserver, self).handle_graphql_errors([error])[0]
            for error in errors
        ]

    def _determine_status_code(
        self, resolver_errors: list[GraphQLError] | None, captured_errors: list[Exception]
    ) -> int:
        # A refusal is an answer: 200 with `errors`, which Dagster's UI shows in its words.
        others = [
            error for error in resolver_errors or [] if not isinstance(error.original_error, PhemsError)
        ]
        return super()._determine_status_code(others, captured_errors)

    async def download_captured_logs_endpoint(self, request: Request) -> Response:
        """Captured output of a step: what project code printed."""
        try:
            check(self._membership, LOGS, "/logs")
            answer: Response = await super().download_captured_logs_endpoint(request)
        except PhemsError as error:
            return error_reply(request, error)
        except ValueError:
            return error_reply(request, NotFoundError("There are no such logs."))
        return answer

    async def download_debug_file_endpoint(self, request: Request) -> Response:
        """A run's whole event log; built in a thread, since it reads all of it."""
        try:
            check(self._membership, LOGS, "/download_debug")
        except PhemsError as error:
            return error_reply(request, error)
        run_id = request.path_params["run_id"]
        if not await run_in_threadpool(self._process_context.instance.has_run, run_id):
            return error_reply(request, NotFoundError("There is no such run."))
        build = super().download_debug_file_endpoint
        return await run_in_threadpool(lambda: asyncio.run(build(request)))

    async def download_notebook(self, request: Request) -> Response:
        """Never: a notebook is project code's own HTML, which would act as the person who looks at it."""
        return error_reply(request, NotFoundError("Notebooks are not shown here."))

    async def report_asset_materialization_endpoint(self, _request: Request) -> JSONResponse:
        """Never: what an asset's history says comes from runs alone."""
        return _closed()

    async def report_asset_check_endpoint(self, _request: Request) -> JSONResponse:
        """Never, for the same reason."""
        return _closed()

    async def report_asset_observation_endpoint(self, _request: Request) -> JSONResponse:
        """Never, for the same reason."""
        return _closed()


def _closed() -> JSONResponse:
    error = NotFoundError(
        "Asset events are not taken here.", why="They come from runs alone.", remedy="phems run launch"
    )
    return JSONResponse({"error": error_fields(error)}, status_code=404)
