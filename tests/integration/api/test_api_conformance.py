"""The API does what its document says, whatever it is sent: generated requests, the real application."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.integration.api.api_site import ADDRESS, HUB, PROJECT, ApiSite
from tests.integration.api.stories import Story, told

from phems.gateway.api.document import operations
from phems.gateway.api.idempotency import KEY_HEADER, REPLAYED_HEADER

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Each in turn asks every route: some are refused, some do what they ask.
ASKING = ("iris", "ana", "omar", "olga", "aud")
EXAMPLES_EACH = 4
# Answers that are not kept: the node's own failures, and what could not be told twice.
NOT_KEPT = {409, 500, 503}


@pytest.fixture
def story(site: ApiSite) -> Story:
    """A node on which something of everything has happened, and that says of itself that it runs."""
    says = {"pid": os.getpid(), "url": ADDRESS, "sandbox": "none", "runs": 0, "warnings": []}
    host = {"project": PROJECT, "pid": 7, "state": "READY", "error": None}
    says |= {"hosts": [host], "queues": {PROJECT: {"waiting": 0, "running": 0}}}
    says |= {"lag": {}, "workers": []}
    site.node.paths.status.write_text(json.dumps(says), encoding="utf-8")
    return told(site)


def test_every_route_answers_as_the_document_says(site: ApiSite, story: Story) -> None:
    """Otherwise a client generated from the document breaks on a real node, or a strange request does."""
    document = site.get("ana", "/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.app = site.app
    for result in schema.get_all_operations():
        operation = result.ok()
        assert operation is not None, result
        people = [HUB] if story.is_for_coordinators(operation.definition.raw) else ASKING
        run = settings(
            max_examples=EXAMPLES_EACH * len(people),
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )(_asked(operation, site, people, story))
        run()


def _asked(operation: Any, site: ApiSite, people: Any, story: Story) -> Any:
    from hypothesis import given
    from hypothesis import strategies as st

    @given(case=operation.as_strategy(), who=st.sampled_from(list(people)), real=st.booleans())
    def run(case: Any, who: str, real: bool) -> None:
        if real:
            # Made-up names find nothing: half of the time the address is one that exists.
            case.path_parameters = {**(case.path_parameters or {}), **story.names_in(operation.path)}
        headers = {"Authorization": f"Bearer {site.tokens[who]}"}
        response = case.call(base_url=f"{ADDRESS}/api", headers=headers)
        case.validate_response(response, checks=CHECKS)

    return run


def test_every_act_is_answered_the_same_when_it_is_sent_again_under_its_key(
    site: ApiSite, story: Story
) -> None:
    """Whatever the act, and however it went: whoever did not get the answer must be able to ask again."""
    schema = schemathesis.openapi.from_dict(site.get("ana", "/openapi.json").json())
    schema.app = site.app
    for result in schema.get_all_operations():
        operation = result.ok()
        assert operation is not None, result
        if operation.method.lower() == "post":
            few = settings(
                max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck)
            )
            few(_asked_twice(operation, site, story))()


def _asked_twice(operation: Any, site: ApiSite, story: Story) -> Any:
    from hypothesis import given

    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.path_parameters = {**(case.path_parameters or {}), **story.names_in(operation.path)}
        case.headers = {**(case.headers or {}), KEY_HEADER: str(uuid.uuid4())}
        case.cookies = {}  # made-up sessions are turned away at the door
        who = {"Authorization": f"Bearer {site.tokens['iris']}"}
        first, again = (case.call(base_url=f"{ADDRESS}/api", headers=who) for _ in range(2))
        case.validate_response(again, checks=CHECKS)
        if not {first.status_code, again.status_code} & NOT_KEPT:
            told = (operation.path, first.status_code, case.headers)
            assert (again.status_code, again.content) == (first.status_code, first.content), told
            assert again.headers.get(REPLAYED_HEADER.lower()) == ["true"], told

    return run


def test_the_document_names_every_route_and_what_it_takes(site: ApiSite) -> None:
    """A route without a name has no command beside it; one without a permission was not thought about."""
    found = list(operations(site.get("ana", "/openapi.json").json()))
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names))
    assert all("." in name for name in names)
    assert all(operation["x-permission"] for _, _, operation in found)
    assert all(operation["summary"] and operation["description"] for _, _, operation in found)
