"""The tables of who may ask Dagster what, held against the Dagster that is installed."""

from __future__ import annotations

import pytest
from dagster_graphql.schema import create_schema
from graphql import GraphQLSchema

from phems.domain.actors import Actor
from phems.domain.permissions import Role
from phems.engine._dagster import Permissions
from phems.errors import RefusedError
from phems.gateway.callers import Caller, Credential, calling
from phems.gateway.permissions import PERMISSION_VERBS
from phems.gateway.root_fields import (
    INNER_FIELDS,
    LAUNCH,
    MUTATIONS,
    NOBODY,
    QUERIES,
    READ,
    SUBSCRIPTIONS,
    check,
    guard,
)
from phems.gateway.settings import Membership

MEMBERSHIP = Membership(
    node={Role.OPERATOR: ["olga"]}, projects={"heart-attack": {Role.DATA_ANALYST: ["ana"]}}
)


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    found: GraphQLSchema = create_schema().graphql_schema
    return found


def test_a_field_that_dagster_adds_is_decided_on(schema: GraphQLSchema) -> None:
    """A Dagster upgrade must not open a new way in, nor close one in silence (it would be refused)."""
    assert schema.query_type
    assert schema.mutation_type
    assert schema.subscription_type
    assert set(QUERIES) == set(schema.query_type.fields)
    assert set(MUTATIONS) == set(schema.mutation_type.fields)
    assert set(SUBSCRIPTIONS) == set(schema.subscription_type.fields)
    assert set(PERMISSION_VERBS) == set(Permissions)
    for type_name, name in INNER_FIELDS:
        assert name in schema.type_map[type_name].fields  # type: ignore[attr-defined]


def test_no_mutation_is_open_to_readers_but_the_two_without_effect() -> None:
    """Who may only look must not be able to change anything."""
    assert {name for name, verbs in MUTATIONS.items() if verbs == READ} == {"logTelemetry", "setNuxSeen"}


def test_evidence_is_closed_to_everyone() -> None:
    """Nobody takes runs or events of assets away, or makes them up."""
    closed = {name for name, verbs in MUTATIONS.items() if verbs == NOBODY}
    assert {"deleteRun", "deletePipelineRun", "wipeAssets", "reportRunlessAssetEvents"} <= closed


def test_every_root_field_is_behind_the_guard(schema: GraphQLSchema) -> None:
    """Without a caller not one resolver runs: a way around the door would still find every field shut."""
    guard(schema, MEMBERSHIP)
    for kind in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert kind
        for name, field in kind.fields.items():
            resolver = field.subscribe or field.resolve
            assert resolver
            with pytest.raises(RefusedError, match=name):
                resolver(None, None)


def test_a_refusal_names_what_is_missing() -> None:
    with (
        calling(Caller(Actor("olga"), Credential.TOKEN)),
        pytest.raises(RefusedError, match=r"run\.launch") as told,
    ):
        check(MEMBERSHIP, LAUNCH, "Mutation.launchRun")
    assert "olga" in told.value.what
    assert "operator" in told.value.remedy


def test_roles_of_one_project_count_there_alone() -> None:
    """An analyst of one project would otherwise launch the runs of another."""
    assert MEMBERSHIP.may_in("ana", "heart-attack", *LAUNCH)
    assert not MEMBERSHIP.may_in("ana", "breast-cancer", *LAUNCH)
    assert not MEMBERSHIP.may_in("ana", None, *LAUNCH)
    assert MEMBERSHIP.may_somewhere("ana", *LAUNCH)
    assert not MEMBERSHIP.may_somewhere("nobody", *READ)
