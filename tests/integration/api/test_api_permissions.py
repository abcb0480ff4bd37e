"""Who may ask what: every route of the document, every role, by the table of permissions and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.api.api_site import HUB, PEOPLE, ApiSite
from tests.integration.api.stories import Story, told

from phems.domain.permissions import PERMISSIONS, Role
from phems.gateway.api.asking import COORDINATOR, OWN, SIGNED_IN
from phems.gateway.api.document import operations

Json = dict[str, Any]


def test_every_route_opens_for_the_roles_of_the_table_and_for_nobody_else(site: ApiSite) -> None:
    """A route that forgets to ask who is there gives a project's secrets to whoever has a token."""
    story = told(site)
    wrong = []
    document = site.get("ana", "/openapi.json").json()
    for path, method, operation in operations(document):
        for role, who in PEOPLE.items():
            answer = _asked(site, story, who, method, path, operation, document)
            expected = _may(role, operation["x-permission"])
            if _is_open(answer) is not expected:
                wrong.append(f"{role} {operation['operationId']}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


def test_a_coordinator_is_answered_at_the_released_packages_alone(site: ApiSite) -> None:
    """Its token lies on a computer of another organisation."""
    story = told(site)
    document = site.get("ana", "/openapi.json").json()
    for path, method, operation in operations(document):
        answer = _asked(site, story, HUB, method, path, operation, document)
        assert (answer.status_code == 403) is (operation["x-permission"] != COORDINATOR), operation[
            "operationId"
        ]


def test_nobody_is_answered_without_signing_in(site: ApiSite) -> None:
    story = told(site)
    document = site.get("ana", "/openapi.json").json()
    for path, method, operation in operations(document):
        answer = _asked(site, story, None, method, path, operation, document)
        assert answer.status_code == 401, operation["operationId"]


@pytest.mark.parametrize("role", list(Role))
def test_the_sites_people_have_one_role_each(site: ApiSite, role: Role) -> None:
    """Otherwise the matrix above would show what two roles may together."""
    found = site.get(PEOPLE[role.value], "/me").json()
    assert [*found["node_roles"], *found["project_roles"].get("heart-attack", [])] == [role.value]


def _may(role: str, permission: str) -> bool:
    if permission == SIGNED_IN:
        return True
    if permission == OWN:  # the story is about Ana
        return role in {"operator", "data_analyst"}
    if permission == COORDINATOR or role == "nobody":
        return False
    return Role(role) in PERMISSIONS[permission]  # type: ignore[index]


def _is_open(answer: Any) -> bool:
    """Whether the answer is about the thing, good or bad, and not about who asks."""
    if answer.status_code not in {403, 404}:
        return answer.status_code != 500
    told = answer.json()
    return not any(
        sign in f"{told['what']} {told['why']}"
        for sign in (
            " may not do ",
            "it needs the role",
            " here for you",
            "no role in it",
            "Only a federation",
        )
    )


def _asked(
    site: ApiSite, story: Story, who: str | None, method: str, path: str, operation: Json, document: Json
) -> Any:
    address = story.address(path)
    if method == "get":
        needed = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        query = {each["name"]: _value(each, document, story) for each in needed if each.get("required")}
        return site.get(who, address, params=query)
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    return site.post(who, address, _value({"schema": body}, document, story))


def _value(part: Json, document: Json, story: Story) -> Any:
    """The least that fits: the members that must be there, with words that name nothing."""
    schema = part.get("schema", part)
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        needed = {name: schema["properties"][name] for name in schema.get("required", ())}
        return {
            name: story.file if name == "path" else _value(inner, document, story)
            for name, inner in needed.items()
        }
    if schema.get("type") == "array":
        return [_value(schema["items"], document, story)] * schema.get("minItems", 0)
    if part.get("name") == "path":
        return story.file
    return {"integer": 1, "boolean": False}.get(schema.get("type", ""), "nothing of this name")
