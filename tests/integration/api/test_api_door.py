"""The API behind the door: who gets in, in which form, and how no is said."""

from __future__ import annotations

import pytest
from tests.integration.api.api_site import HUB, ORIGIN, PASSWORD, PROJECT, ApiSite

from phems.domain.actors import LOCAL_OPERATOR

PROBLEM = "application/problem+json"
SUBMIT = f"/projects/{PROJECT}/code-revisions"


def test_a_stranger_is_told_how_to_sign_in_and_nothing_else(site: ApiSite) -> None:
    for path in ("/me", "/projects", "/users", "/openapi.json", "/releases", "/nowhere"):
        answer = site.get(None, path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, PROBLEM)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "phems user token" in answer.json()["remedy"]


def test_a_refusal_says_what_why_and_remedy_as_a_problem(site: ApiSite) -> None:
    """Programs know RFC 9457, people know the words of the command line: both find what they look for."""
    answer = site.get("ana", "/users")
    told = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, PROBLEM)
    assert told["type"] == "urn:phems:problem:refused"
    assert told["status"] == 403
    assert told["detail"].startswith(told["what"])
    assert "Operator" in told["why"]
    assert "node.yaml" in told["remedy"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_an_act_is_a_post(site: ApiSite, method: str) -> None:
    """Attack case 1: what an address alone can do, a picture on another page can do."""
    before = len(site.entries())
    revision = site.post("ana", SUBMIT).json()["commit"]
    answer = site.client("iris").request(method, f"/api{SUBMIT}/{revision}/approve")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert [entry.action for entry in site.entries()[before:]] == ["code.submit"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_a_body_that_is_not_said_to_be_json_is_not_read(site: ApiSite, kind: str | None) -> None:
    """Attack case 2: a form on another page can send these."""
    headers = {"Content-Type": kind} if kind else {}
    answer = site.client("ana").post(f"/api{SUBMIT}", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (415, PROBLEM)
    assert site.get("ana", SUBMIT).json()["items"] == []


def test_another_page_cannot_act_with_the_visitors_session(site: ApiSite) -> None:
    """Attack case 3."""
    site.node.users.set_password(LOCAL_OPERATOR, "ana", PASSWORD)
    browser = site.client()
    form = {"name": "ana", "password": PASSWORD, "next": "/"}
    assert browser.post("/login", data=form, headers=ORIGIN, follow_redirects=False).status_code == 303
    assert browser.get("/api/me").json()["name"] == "ana"
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert browser.post(f"/api{SUBMIT}", json={}, headers=origin).status_code == 403
    assert browser.post(f"/api{SUBMIT}", json={}, headers=ORIGIN).status_code == 201


def test_a_large_body_is_refused(site: ApiSite) -> None:
    large = b'{"commit": "' + b"a" * 5_000_000 + b'"}'
    json = {"Content-Type": "application/json"}
    assert site.client("ana").post(f"/api{SUBMIT}", content=large, headers=json).status_code == 413
    chunked = site.client("ana").post(
        f"/api{SUBMIT}", content=iter([large[:3_000_000], large[3_000_000:]]), headers=json
    )
    assert chunked.status_code == 413


def test_a_misspelt_member_is_an_error_that_does_not_quote_it(site: ApiSite) -> None:
    """A password under a wrong name must neither be ignored nor end up in a log of answers."""
    answer = site.post("olga", "/users", {"name": "new", "pasword": "hunter2hunter2"})
    assert answer.status_code == 400
    assert answer.json()["problems"] == [{"at": "body.pasword", "says": "Extra inputs are not permitted"}]
    assert "hunter2" not in answer.text


def test_answers_are_kept_by_no_cache(site: ApiSite) -> None:
    for answer in (site.get("ana", "/me"), site.get("ana", "/users"), site.get("ana", "/nowhere")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_coordinators_token_opens_nothing_but_the_released_packages(site: ApiSite) -> None:
    """It lies on a computer of another organisation."""
    for path in ("/api/me", "/api/projects", "/api/openapi.json", "/api/release-requests/x", "/", "/graphql"):
        answer = site.client(HUB).get(path)
        assert answer.status_code == 403, path
    assert site.post(HUB, SUBMIT).status_code == 403
    assert site.post(HUB, "/releases").status_code == 403


def test_a_coordinators_token_ends_when_it_is_revoked_or_its_name_is_taken_out(site: ApiSite) -> None:
    assert site.get("olga", "/coordinators").json()[0]["open_tokens"] == 1
    assert site.post("olga", f"/coordinators/{HUB}/revoke").json()["tokens_ended"] == 1
    assert site.node.coordinators.authenticate(site.tokens[HUB]) is None
    assert site.post("olga", f"/coordinators/{HUB}/revoke").status_code == 404
    assert site.post("olga", "/coordinators/stranger/tokens").status_code == 404
    made = site.post("olga", f"/coordinators/{HUB}/tokens", {"days": 1}).json()
    assert site.node.coordinators.authenticate(made["token"]) is not None
    site.node.spec.projects.clear()
    assert site.node.coordinators.authenticate(made["token"]) is None
    assert made["token"] not in site.audit_text()
