"""Dagster's web UI and GraphQL, as this node serves them. Importing it is slow: only `phems serve` does.

A subclass of Dagster's own web server: GraphQL by POST of JSON alone, every root field behind its rule, a
view of the node that is scoped to who asks, and a decision for each route beside GraphQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from inspect import isawaitable
from typing import Any

from dagster_graphql.implementation.utils import ErrorCapture
from dagster_webserver.webserver import DagsterWebserver
from graphql import GraphQLError, execute
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.websockets import WebSocket

from phems.engine.workspace import NodeWorkspace
from phems.errors import InputError, NotFoundError, PhemsError
from phems.gateway.callers import current_caller
from phems.gateway.dagster_routes import decided
from phems.gateway.graphql_counts import count_fields
from phems.gateway.graphql_documents import GraphQLDocuments, InvalidDocumentError
from phems.gateway.metrics import GatewayMetrics
from phems.gateway.mutation_records import Records
from phems.gateway.permissions import CallerRequestContext
from phems.gateway.query_limits import check_query
from phems.gateway.replies import error_fields, error_reply
from phems.gateway.root_fields import LOGS, check, guard
from phems.gateway.settings import GatewaySettings


class NodeWebserver(DagsterWebserver[NodeWorkspace, CallerRequestContext]):
    """Dagster's web server behind the door."""

    def __init__(
        self,
        workspace: NodeWorkspace,
        settings: GatewaySettings,
        records: Records | None,
        metrics: GatewayMetrics | None = None,
    ) -> None:
        self._records = records
        self._membership = settings.membership
        self._metrics = metrics
        super().__init__(workspace)
        self._documents = GraphQLDocuments(
            self._graphene_schema.graphql_schema, self._graphql_validation_rules
        )

    def build_graphql_schema(self) -> Any:
        """Dagster's schema with our rules before its root fields."""
        schema = super().build_graphql_schema()
        guard(schema.graphql_schema, self._membership, self._records)
        if self._metrics is not None:
            count_fields(schema.graphql_schema, self._metrics)
        return schema

    def build_routes(self) -> list[BaseRoute]:
        """Dagster's routes, as far as they are served here."""
        return decided(super().build_routes())  # type: ignore[no-untyped-call]

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
        if not _is_one_query(data):
            error = InputError("The body is not one JSON object with a query.")
            return error_reply(request, error, status=400)
        try:
            await run_in_threadpool(check_query, data["query"], _variables(data))
        except InputError as error:
            return JSONResponse({"data": None, "errors": [_told(error)]}, status_code=400)
        answer: Response = await super().graphql_http_endpoint(request)
        return answer

    async def gen_graphql_response(
        self,
        request_context: CallerRequestContext,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
    ) -> JSONResponse:
        """As Dagster answers, but for the document, which is read once (`graphql_documents`)."""
        try:
            document = self._documents.read(query)
        except InvalidDocumentError as invalid:
            errors = self.handle_graphql_errors(invalid.errors)
            return JSONResponse({"data": None, "errors": errors}, status_code=400)
        captured: list[Exception] = []
        with ErrorCapture.watch(captured.append):
            answer = execute(
                self._graphene_schema.graphql_schema,
                document,
                context_value=request_context,
                variable_values=variables,
                operation_name=operation_name,
                middleware=self._graphql_middleware,
            )
            result = await answer if isawaitable(answer) else answer
        told = {"errors": self.handle_graphql_errors(result.errors)} if result.errors else {}
        status = self._determine_status_code(result.errors, captured)
        return JSONResponse({"data": result.data, **told}, status_code=status)

    def handle_graphql_errors(self, errors: Sequence[GraphQLError]) -> list[Any]:
        """Errors for the client: ours in their own words, without a stack."""
        return [
            {**error.formatted, **_told(ours)}
            if isinstance(ours := error.original_error, PhemsError)
            else super(NodeWebserver, self).handle_graphql_errors([error])[0]
            for error in errors
        ]

    async def execute_graphql_subscription(
        self,
        websocket: WebSocket,
        operation_id: str,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
    ) -> Any:
        """A subscription, within the same limits as a query."""
        try:
            await run_in_threadpool(check_query, query, variables)
        except InputError as error:
            return None, _told(error)
        return await super().execute_graphql_subscription(
            websocket, operation_id, query, variables, operation_name
        )

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
        if not await run_in_threadpool(self._may_read_log, request, run_id):
            return error_reply(request, NotFoundError("There is no such run."))
        build = super().download_debug_file_endpoint
        return await run_in_threadpool(lambda: asyncio.run(build(request)))

    def _may_read_log(self, request: Request, run_id: str) -> bool:
        return self._make_request_context(request).person.may_read_log(run_id)


def _is_one_query(data: Any) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("query"), str):
        return False
    name = data.get("operationName")
    return isinstance(_variables(data), dict) and (name is None or isinstance(name, str))


def _variables(data: dict[str, Any]) -> Any:
    return data.get("variables") or {}


def _told(error: PhemsError) -> dict[str, Any]:
    return {"message": str(error), "extensions": {"phems": error_fields(error)}}
