"""Counts what is asked of GraphQL: root fields by their names in the schema, never by what a query says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLSchema, default_field_resolver

from phems.errors import RefusedError
from phems.gateway.metrics import GatewayMetrics


def count_fields(schema: GraphQLSchema, metrics: GatewayMetrics) -> None:
    """Count every call of a root field's resolver; put around whatever guards it."""
    for operation, kind in (
        ("query", schema.query_type),
        ("mutation", schema.mutation_type),
        ("subscription", schema.subscription_type),
    ):
        for name, field in kind.fields.items() if kind is not None else ():
            if field.subscribe is not None:
                field.subscribe = _counted(field.subscribe, metrics, operation, name)
            else:
                field.resolve = _counted(field.resolve or default_field_resolver, metrics, operation, name)


def _counted(
    resolve: Callable[..., Any], metrics: GatewayMetrics, operation: str, name: str
) -> Callable[..., Any]:
    def counted(root: Any, info: Any, **arguments: Any) -> Any:
        result = "failed"
        try:
            value = resolve(root, info, **arguments)
            result = "done"
        except RefusedError:
            result = "refused"
            raise
        finally:
            metrics.graphql_field(operation, name, result)
        return value

    return counted
