"""Case 13: a token that is old, ended, cut short, made up or of another kind opens nothing on a node."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import quote

import pytest
from attacked_node import until
from gateway_node import LAUNCH, OWN, GatewayNode, launching

from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.sign_in import TOKEN_PREFIX
from phems.services.users import Users

PATHS = (
    "/",
    "/account",
    "/account/second-factor",
    "/events",
    "/runs",
    "/audit",
    "/people",
    "/api/me",
    "/api/users",
    "/api/releases",
    f"/api/projects/{OWN}/code-revisions",
)


def made(users: Users, lifetime: timedelta = timedelta(days=1)) -> str:
    return users.issue_token(LOCAL_OPERATOR, "olga", lifetime=lifetime).secret


def revoked(users: Users) -> str:
    token = made(users)
    users.revoke_token(LOCAL_OPERATOR, "olga", users.authenticate_token(token).id)
    return token


def web_token(algorithm: str) -> str:
    """What some other service may take for Olga's word."""
    claims = {"sub": "olga", "name": "olga", "aud": "phems", "exp": int(time.time()) + 3600}
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    signature = "" if algorithm == "none" else secrets.token_urlsafe(32)
    return ".".join([base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts] + [signature])


TOKENS: dict[str, Callable[[Users], str]] = {
    "expired": lambda users: made(users, timedelta(microseconds=1)),
    "revoked": revoked,
    "another node's": lambda _users: TOKEN_PREFIX + secrets.token_urlsafe(32),
    "without its last letter": lambda users: made(users)[:-1],
    "without its first letters": lambda users: made(users).removeprefix(TOKEN_PREFIX),
    "with a letter more": lambda users: made(users) + "A",
    "in capitals": lambda users: made(users).upper(),
    "the prefix alone": lambda _users: TOKEN_PREFIX,
    "its hash, as the database has it": lambda users: users.list_tokens("olga")[0].secret_hash,
    "its public name": lambda users: users.list_tokens("olga")[0].id,
    "an unsigned web token": lambda _users: web_token("none"),
    "a web token with a signature": lambda _users: web_token("HS256"),
}


def ways(node: GatewayNode, headers: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Each way into the node with these headers, and the status of the answer."""
    for path in PATHS:
        yield path, node.send(None, "GET", path, headers=headers).status
    question = json.dumps({"query": "{ version }"}).encode()
    told = {"Content-Type": "application/json", **headers}
    yield "GraphQL", node.send(None, "POST", "/graphql", question, told).status
    yield "a token more", node.send(None, "POST", "/api/users/olga/tokens", b"{}", told).status


@pytest.mark.parametrize("kind", TOKENS)
def test_what_is_no_token_of_today_opens_nothing(gateway_node: GatewayNode, kind: str) -> None:
    """A token that was found in an old file, a log or another system must not be worth anything."""
    token = TOKENS[kind](gateway_node.serving.node.users)
    answers = dict(ways(gateway_node, {"Authorization": f"Bearer {token}"}))
    assert answers == dict.fromkeys(answers, 401)


def test_a_token_counts_where_tokens_are_given_and_nowhere_else(gateway_node: GatewayNode) -> None:
    """As a cookie it would be sent by other people's pages; in an address, it would stand in every log."""
    token = made(gateway_node.serving.node.users)
    basic = base64.b64encode(f"olga:{token}".encode()).decode()
    for headers in (
        {"Cookie": f"phems_session={token}"},
        {"Authorization": f"Basic {basic}"},
        {"Authorization": token},
        {"Authorization": f"Token {token}"},
        {"X-Api-Key": token},
    ):
        answers = dict(ways(gateway_node, headers))
        # With a cookie, an act is refused for its missing Origin before anybody asks who it is.
        assert set(answers.values()) <= {401, 403}, headers
        assert answers["/api/me"] == 401, headers
    assert gateway_node.send(None, "GET", f"/api/me?token={quote(token)}&access_token={token}").status == 401
    good = {"Authorization": f"Bearer {token}"}
    assert gateway_node.send(None, "GET", "/api/me", headers=good).status == 200


def test_a_session_is_no_token(gateway_node: GatewayNode) -> None:
    session = gateway_node.cookie("olga").partition("=")[2]
    assert (
        gateway_node.send(None, "GET", "/api/me", headers={"Cookie": f"phems_session={session}"}).status
        == 200
    )
    answers = dict(ways(gateway_node, {"Authorization": f"Bearer {session}"}))
    assert answers == dict.fromkeys(answers, 401)


def test_a_token_that_is_in_use_ends_when_it_is_revoked(gateway_node: GatewayNode) -> None:
    """Somebody notices the theft while the thief is at work."""
    users = gateway_node.serving.node.users
    token = made(users)
    headers = {"Authorization": f"Bearer {token}"}
    assert gateway_node.send(None, "GET", "/api/me", headers=headers).status == 200
    users.revoke_token(LOCAL_OPERATOR, "olga", users.authenticate_token(token).id)
    ended = lambda: gateway_node.send(None, "GET", "/api/me", headers=headers).status == 401  # noqa: E731
    until(ended, 30, "the gateway notices that the token is revoked")
    answers = dict(ways(gateway_node, headers))
    assert answers == dict.fromkeys(answers, 401)


def test_a_token_is_worth_no_more_than_its_users_roles_of_now(gateway_node: GatewayNode) -> None:
    """Somebody leaves a project: the token that they made before must not keep them in it."""
    path, page = f"/api/projects/{OWN}/code-revisions", f"/projects/{OWN}"
    launch = {"query": LAUNCH, "variables": {"params": launching(OWN, "alpha_job")}}
    assert gateway_node.send("both", "GET", path).status == 200
    assert gateway_node.send("both", "GET", page).status == 200
    with _out_of_the_project(gateway_node, "both"):
        assert gateway_node.send("both", "GET", path).status == 404
        assert gateway_node.send("both", "GET", page).status == 404
        submit = gateway_node.send("both", "POST", path, b"{}", {"Content-Type": "application/json"})
        assert submit.status == 404
        runs = len(gateway_node.instance.get_run_records())
        answer = gateway_node.post("both", launch).json()
        assert "LaunchRunSuccess" not in json.dumps(answer)
        assert len(gateway_node.instance.get_run_records()) == runs
        assert OWN not in gateway_node.send("both", "GET", "/api/me").text
    assert gateway_node.send("both", "GET", path).status == 200


def test_a_token_of_somebody_who_is_disabled_opens_nothing(gateway_node: GatewayNode) -> None:
    users = gateway_node.serving.node.users
    token = users.issue_token(LOCAL_OPERATOR, "mallory").secret
    users.disable_user(LOCAL_OPERATOR, "mallory")
    try:
        answers = dict(ways(gateway_node, {"Authorization": f"Bearer {token}"}))
        assert answers == dict.fromkeys(answers, 401)
    finally:
        users.enable_user(LOCAL_OPERATOR, "mallory")


@contextmanager
def _out_of_the_project(node: GatewayNode, name: str) -> Iterator[None]:
    """As when node.yaml is taken up again without the name among the project's people."""
    inside = node.serving.node
    before = inside.spec
    project = before.projects[OWN]
    fewer = {role: tuple(who for who in names if who != name) for role, names in project.members if names}
    members = project.members.model_copy(update=fewer)
    changed = {**before.projects, OWN: project.model_copy(update={"members": members})}
    inside.spec = before.model_copy(update={"projects": changed})
    try:
        yield
    finally:
        inside.spec = before
