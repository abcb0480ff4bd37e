"""Signing in from elsewhere: a password or a token, kept for one address, revoked and forgotten."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.integration.api.api_site import PASSWORD, PROJECT, ApiSite


def kept(tmp_path: Path) -> Path:
    return tmp_path / "config/phems/sign-ins.json"


def test_who_signs_in_acts_from_then_on_and_is_out_after_logout(
    phems: Any, site: ApiSite, url: str, tmp_path: Path
) -> None:
    """The first thing that a person does on their own machine, and the last."""
    said = phems("login", url, "--user", "ana", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (said.code, said.err) == (0, "")
    assert f"export PHEMS_NODE={url}" in said.out
    assert stat.S_IMODE(kept(tmp_path).stat().st_mode) == 0o600
    token = json.loads(kept(tmp_path).read_text())[url]["token"]
    assert token not in said.out
    assert phems("--node", url, "project", "list", "--json").data[0]["name"] == PROJECT
    assert phems("--node", f"{url}/", "project", "list").code == 0, "a slash at the end is the same node"
    out = phems("logout", url, "--json").data
    assert (out["user"], out["revoked"]) == ("ana", True)
    assert token not in kept(tmp_path).read_text()
    again = phems("--node", url, "project", "list")
    assert (again.code, f"Remedy: phems login {url}" in again.err) == (2, True)
    stale = phems("--node", url, "--token", token, "project", "list")
    assert (stale.code, f"Remedy: phems login {url}" in stale.err) == (4, True)


def test_a_token_that_was_made_elsewhere_is_kept(phems: Any, site: ApiSite, url: str) -> None:
    """People of an identity provider have no password here: their account page makes a token."""
    said = phems("login", url, "--token", "-", "--json", stdin=site.tokens["iris"] + "\n").data
    assert said["user"] == "iris"
    assert phems("--node", url, "code", "list", "-p", PROJECT).code == 0
    assert phems("login", url, "--token", "-", stdin="phems_made-up\n").code == 4
    assert phems("login", url, "--token", "-", stdin="\n").code == 2


def test_a_wrong_password_is_refused_slowed_down_and_written_down(
    phems: Any, site: ApiSite, url: str
) -> None:
    """The API must not be the way to guess that the sign-in page is not."""
    told = [
        phems("login", url, "--user", "ana", "--password-stdin", stdin="not her password\n") for _ in range(7)
    ]
    assert {each.code for each in told} == {4}
    assert "the name or the password is wrong" in told[0].err
    assert "too many tries" in told[-1].err
    assert f"phems login {url} --token -" in told[0].err
    refused = [entry for entry in site.entries() if entry.action == "user.sign_in"]
    assert refused
    assert {(entry.subject, entry.result) for entry in refused} == {("ana", "refused")}
    assert "not her password" not in site.audit_text()


def test_the_token_is_short_lived_and_audited(site: ApiSite) -> None:
    answer = site.client().post("/api/sign-in", json={"name": "ana", "password": PASSWORD})
    assert answer.status_code == 201
    [made] = [entry for entry in site.entries() if entry.action == "user.issue_token"][-1:]
    assert (made.actor, made.details["label"]) == ("ana", "phems login")
    assert answer.json()["token"] not in site.audit_text()
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"name": "ana"}',
        b'{"name": 1, "password": "x"}',
        b'{"name":"a","password":"b","x":"y"}',
    ],
)
def test_what_is_no_sign_in_is_an_error_that_quotes_nothing(site: ApiSite, body: bytes) -> None:
    answer = site.client().post("/api/sign-in", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    form = site.client().post("/api/sign-in", data={"name": "ana", "password": PASSWORD})
    assert form.status_code == 415


def test_tokens_that_others_can_read_are_not_used(
    phems: Any, site: ApiSite, url: str, tmp_path: Path
) -> None:
    assert phems("login", url, "--token", "-", stdin=site.tokens["iris"]).code == 0
    kept(tmp_path).chmod(0o644)
    said = phems("--node", url, "project", "list")
    assert (said.code, "chmod 600" in said.err) == (2, True)


def test_a_logout_that_cannot_be_told_to_the_node_forgets_the_token_all_the_same(
    phems: Any, tmp_path: Path
) -> None:
    file = kept(tmp_path)
    file.parent.mkdir(parents=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps({"http://127.0.0.1:9": {"token": "t", "user": "ana", "expires_at": ""}}))
    said = phems("logout", "http://127.0.0.1:9")
    assert (said.code, "not revoked there" in said.err) == (0, True)
    assert json.loads(file.read_text()) == {}
    assert phems("logout", "http://127.0.0.1:9").code == 2
    assert "not said" in phems("logout").err
