"""Case 6: an upgrade of Dagster adds a GraphQL field, a storage method or a route: a pin test fails.

The pins are in `tests/unit`; here Dagster is changed before them, as an upgrade would.
"""

from __future__ import annotations

from typing import Any

import pytest
from dagster_graphql.schema import create_schema
from dagster_webserver.webserver import DagsterWebserver
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, GraphQLString
from starlette.routing import Route
from tests.unit.engine import test_engine_dagster_pins, test_people_rules, test_storage_rules
from tests.unit.gateway import test_dagster_routes, test_root_fields

from phems.domain.actors import Actor
from phems.domain.permissions import Role
from phems.engine._dagster import EventLogStorage, RunStorage, ScheduleStorage
from phems.errors import RefusedError
from phems.gateway.callers import Caller, Credential, calling
from phems.gateway.root_fields import guard
from phems.gateway.settings import Membership

OLGA = Membership(node={Role.OPERATOR: ["olga"]}, projects={})
STORAGES: dict[str, type] = {"runs": RunStorage, "events": EventLogStorage, "schedules": ScheduleStorage}


def with_field(kind: str) -> tuple[GraphQLSchema, GraphQLField]:
    """Dagster's schema with a root field that nobody knows."""
    schema: GraphQLSchema = create_schema().graphql_schema
    roots = getattr(schema, f"{kind}_type")
    assert isinstance(roots, GraphQLObjectType)
    field = GraphQLField(GraphQLString, resolve=lambda *_: "done")
    roots.fields["newInDagster"] = field
    return schema, field


@pytest.mark.parametrize("kind", ["query", "mutation", "subscription"])
def test_a_new_field_fails_its_pin_and_is_refused_to_everybody(kind: str) -> None:
    """Otherwise what the field shows or does is open to all from the day of the upgrade."""
    schema, field = with_field(kind)
    with pytest.raises(AssertionError, match="newInDagster"):
        test_root_fields.test_a_field_that_dagster_adds_is_decided_on(schema)
    guard(schema, OLGA)
    assert field.resolve
    with calling(Caller(Actor("olga"), Credential.TOKEN)), pytest.raises(RefusedError, match="newInDagster"):
        field.resolve(None, None)


@pytest.mark.parametrize("kind", STORAGES)
def test_a_new_storage_method_fails_its_pins(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Otherwise people and steps ask a method whose answers nobody confines."""
    base: Any = STORAGES[kind]
    monkeypatch.setattr(base, "new_in_dagster", lambda _self: "everything", raising=False)
    monkeypatch.setattr(base, "__abstractmethods__", base.__abstractmethods__ | {"new_in_dagster"})
    with pytest.raises(AssertionError, match="new_in_dagster"):
        test_people_rules.test_every_method_has_a_rule(kind)
    with pytest.raises(AssertionError, match="new_in_dagster"):
        test_storage_rules.test_every_abstract_method_of_dagster_s_storages_has_a_rule(kind)
    with pytest.raises(AssertionError, match="look at every use"):
        test_engine_dagster_pins.test_private_names_are_what_they_were_when_their_uses_were_written()


def test_a_new_route_fails_its_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise there is a way beside GraphQL."""
    build = DagsterWebserver.build_routes
    new = Route("/new_in_dagster", lambda _request: None)
    monkeypatch.setattr(DagsterWebserver, "build_routes", lambda server: [*build(server), new])
    with pytest.raises(AssertionError, match="new_in_dagster"):
        test_dagster_routes.test_a_route_that_dagster_adds_is_decided_on()
