"""A token with a scope holds to it wherever it is used: API, Dagster's part, pages and commands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.integration.api.api_site import ADDRESS, ORIGIN, OTHER, PASSWORD, PROJECT, ApiSite
from tests.integration.api.stories import released

from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.authority import scope_of
from phems.errors import NotFoundError, RefusedError
from phems.gateway.settings import settings_of
from phems.services.membership import acting
from phems.services.users import Client

PAGE = {"Accept": "text/html"}


def limited(
    site: ApiSite, name: str, *, projects: Any = (), verbs: Any = (), read_only: bool = False
) -> TestClient:
    """Requests with a new token of a person, that has a scope."""
    scope = scope_of(projects, verbs, read_only=read_only, known=site.node.spec.projects)
    made = site.node.users.issue_token(LOCAL_OPERATOR, name, scope=scope)
    site.tokens[f"{name}, limited"] = made.secret
    return site.client(f"{name}, limited")


def signed_in(site: ApiSite, name: str) -> TestClient:
    """Requests of a browser in which somebody has signed in."""
    made = site.node.users.open_session(Actor(name), Client("10.0.0.7", "A browser"))
    return TestClient(
        site.app,
        base_url=ADDRESS,
        headers={**ORIGIN, "Cookie": f"phems_session={made.secret}"},
        raise_server_exceptions=False,
        follow_redirects=False,
    )


def test_a_read_only_token_reads_and_changes_nothing(site: ApiSite) -> None:
    reader = limited(site, "ana", read_only=True)
    assert reader.get(f"/api/projects/{PROJECT}/code-revisions").status_code == 200
    refused = reader.post(f"/api/projects/{PROJECT}/code-revisions", json={})
    assert refused.status_code == 403
    assert "with this token" in refused.json()["what"]
    assert site.post("ana", f"/projects/{PROJECT}/code-revisions").status_code == 201


def test_a_token_for_one_project_finds_no_other(site: ApiSite) -> None:
    """Omar checks in both projects; what runs for one must not see the other."""
    one = limited(site, "omar", projects=[PROJECT])
    assert [row["name"] for row in one.get("/api/projects").json()["items"]] == [PROJECT]
    assert one.get(f"/api/projects/{OTHER}/release-requests").status_code == 404
    assert one.get("/api/me").json()["project_roles"] == {PROJECT: ["output_checker"]}


def test_an_operators_token_for_a_project_does_not_run_the_node(site: ApiSite) -> None:
    inside = limited(site, "olga", projects=[PROJECT])
    assert inside.get(f"/api/projects/{PROJECT}/code-revisions").status_code == 200
    assert inside.get("/api/users").status_code == 403
    assert inside.post("/api/users", json={"name": "eve"}).status_code == 403
    reader = limited(site, "olga", read_only=True)
    assert reader.post("/api/users/ana/tokens", json={}).status_code == 403


def test_a_limited_token_is_no_way_to_a_token_without_limits_nor_to_a_key(site: ApiSite) -> None:
    reader = limited(site, "ana", read_only=True)
    [token] = [row for row in reader.get("/api/users/ana/tokens").json() if row["verbs"]]
    key = {"public_key": "A" * 43 + "="}
    for path, body in (
        ("/api/users/ana/keys", key),
        ("/api/users/ana/sessions/end", {}),
        (f"/api/users/ana/tokens/{token['id']}/revoke", {}),
        ("/api/users/ana/tokens", {}),
    ):
        assert reader.post(path, json=body).status_code == 403, path
    page = reader.post("/account/tokens", data={"days": "90", "label": "more"})
    assert page.status_code == 403


def test_dagsters_part_asks_the_same_roles(site: ApiSite) -> None:
    """Its GraphQL would launch runs with a token that is for reading."""
    membership = settings_of(site.node.spec, lambda: site.node.spec, site.node.roles_in).membership
    scope = scope_of([PROJECT], [], read_only=True, known=site.node.spec.projects)
    made = site.node.users.issue_token(LOCAL_OPERATOR, "omar", scope=scope)
    authority = site.node.users.authenticate_token(made.secret)
    with acting(authority):
        assert membership.may_somewhere("omar", "release.list")
        assert not membership.may_somewhere("omar", "release.vote")
        assert membership.roles("omar", OTHER) == frozenset()
        assert not membership.roles_anywhere("nobody")
        # Of others the scope says nothing: whether their votes count is not this token's to decide.
        assert membership.may_in("oda", PROJECT, "release.vote")
    assert membership.may_somewhere("omar", "release.vote")


def test_commands_hold_to_the_scope_of_their_token(site: ApiSite) -> None:
    scope = scope_of([PROJECT], [], read_only=True, known=site.node.spec.projects)
    made = site.node.users.issue_token(LOCAL_OPERATOR, "ana", scope=scope)
    with acting(None):
        actor = site.node.actor_from_token(made.secret)
        assert list(site.node.code_revisions.list(actor, PROJECT)) == []
        with pytest.raises(RefusedError, match="with this token"):
            site.node.code_revisions.submit(actor, PROJECT)
        with pytest.raises(NotFoundError):
            site.node.code_revisions.list(actor, OTHER)


def test_a_vote_counts_whatever_the_token_of_who_looks(site: ApiSite) -> None:
    request = released(site)
    reader = limited(site, "iris", projects=[PROJECT], read_only=True)
    shown = reader.get(f"/api/release-requests/{request['id']}").json()
    assert shown["state"] == "RELEASED"


def test_operators_and_owners_see_tokens_and_sessions_and_end_them(site: ApiSite) -> None:
    wish = {"days": 7, "label": "nightly", "projects": [PROJECT], "read_only": True}
    assert site.post("olga", "/users/ana/tokens", wish).status_code == 201
    assert site.post("olga", "/users/ana/tokens", {"projects": ["nowhere"]}).status_code == 400
    [row] = [row for row in site.get("ana", "/users/ana/tokens").json() if row["label"] == "nightly"]
    assert row["projects"] == [PROJECT]
    assert "run.logs" in row["verbs"]
    assert site.get("ben", "/users/ana/tokens").status_code == 403
    assert site.post("ana", f"/users/ana/tokens/{row['id']}/revoke").json()["id"] == row["id"]
    browser = signed_in(site, "ana")
    [session] = site.get("olga", "/users/ana/sessions").json()
    assert (session["address"], session["agent"]) == ("10.0.0.7", "A browser")
    assert site.post("olga", f"/users/ana/sessions/{session['id']}/end").status_code == 204
    assert browser.get("/account").status_code == 401
    signed_in(site, "ana")
    assert site.post("ana", "/users/ana/sessions/end").json() == {"sessions_ended": 1}


def test_the_account_page_shows_sessions_and_tokens_and_ends_them(site: ApiSite) -> None:
    browser, elsewhere = signed_in(site, "omar"), signed_in(site, "omar")
    assert elsewhere.get("/account", headers=PAGE).status_code == 200
    form = {"label": "my laptop", "days": "30", "read_only": "yes", "project": PROJECT}
    made = browser.post("/account/tokens", data=form, headers=PAGE)
    assert "phems_" in made.text
    page = browser.get("/account", headers=PAGE).text
    assert "phems_" not in page.replace("phems_session", "")
    assert f"reading in {PROJECT}" in page
    assert "A browser, from 10.0.0.7" in page
    [token] = [found for found in site.node.users.list_tokens("omar") if found.label]
    assert browser.post("/account/tokens/revoke", data={"id": token.id}).status_code == 303
    assert token.id not in browser.get("/account", headers=PAGE).text
    bad = browser.post("/account/tokens", data={"label": "x", "days": "many"}, headers=PAGE)
    assert (bad.status_code, "There is a problem" in bad.text) == (400, True)
    assert browser.post("/account/sessions/end-all", data={"all": "yes"}).status_code == 303
    assert browser.get("/account").status_code == 401
    assert elsewhere.get("/account").status_code == 401


def test_a_form_of_another_site_ends_no_session(site: ApiSite) -> None:
    browser = signed_in(site, "omar")
    foreign = {"Origin": "http://evil.example"}
    assert browser.post("/account/sessions/end-all", data={"all": "yes"}, headers=foreign).status_code == 403
    assert browser.get("/account", headers=PAGE).status_code == 200


def test_tries_from_one_address_are_slowed_down_at_the_door(site: ApiSite) -> None:
    """The page must hand the address on, or a list of names is tried at full speed."""
    site.node.users.set_password(LOCAL_OPERATOR, "ana", PASSWORD)
    client = site.client()
    form = {"name": "ana", "password": PASSWORD, "next": "/"}
    now = site.node.clock.now() + timedelta(hours=1)
    with site.node.governance.transaction() as work:
        for _ in range(60):
            work.users.record_failure("address unknown", now)
    answer = client.post("/login", data=form, headers=ORIGIN, follow_redirects=False)
    assert answer.status_code == 403
    assert "from this address" in answer.text
