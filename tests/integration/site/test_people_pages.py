"""People in a browser: operators add them, shut them out, and hand out and end what stands for them."""

from __future__ import annotations

import re

import pyotp
import pytest
from tests.integration.api.api_site import PASSWORD
from tests.integration.site.browsed_site import BrowsedSite, Browser

from phems.domain.actors import Actor
from phems.errors import RefusedError

OLGA = Actor("olga")


def secret_in(page: str) -> str:
    """The secret that a page shows once."""
    found = re.search(r'class="secret">([^<]+)<', page)
    assert found is not None
    return found.group(1)


@pytest.fixture
def operator(site: BrowsedSite) -> Browser:
    return site.browser("olga")


@pytest.mark.parametrize("who", ["ana", "omar", "iris", "aud", "nobody"])
def test_people_are_for_operators(site: BrowsedSite, who: str) -> None:
    """Otherwise members of one project would learn who works in another."""
    browser = site.browser(who)
    assert browser.get("/people").status_code == 403
    assert browser.get("/people/ana").status_code == 403
    assert browser.send("/people", "add", name="eve").status_code == 403
    assert browser.send("/people/ana", "disable").status_code == 403
    assert "eve" not in {user.name for user in site.node.users.list_users()}
    assert site.node.users.authenticate_token(site.tokens["ana"]).actor.name == "ana"


def test_a_person_is_added_and_signs_in(site: BrowsedSite, operator: Browser) -> None:
    page = operator.send("/people", "add", name="eve", password=PASSWORD)
    assert "The user was added" in page.text
    assert site.node.users.authenticate_password("eve", PASSWORD) == Actor("eve")


def test_where_a_person_is_told_things_is_set_and_seen(operator: Browser) -> None:
    """Otherwise nobody notices that mail for somebody goes nowhere, or to who has left."""
    assert "None: they are not told by mail" in operator.words("/people/ana")
    page = operator.send("/people/ana", "email", email="ana@hospital.example")
    assert "The address was set" in page.text
    assert "ana@hospital.example" in operator.words("/people")
    assert operator.send("/people/ana", "email", email="Ana <ana@hospital.example>").status_code == 400
    operator.send("/people/ana", "email", email="")
    assert "ana@hospital.example" not in operator.words("/people")


def test_a_name_that_cannot_be_is_told_and_stays_in_the_form(operator: Browser) -> None:
    page = operator.send("/people", "add", name="Eve Adams", password=PASSWORD)
    assert page.status_code == 400
    assert 'value="Eve Adams"' in page.text
    assert PASSWORD not in page.text


def test_each_role_is_told_with_where_it_comes_from(operator: Browser) -> None:
    """Otherwise nobody knows what to edit to take a role away."""
    words = operator.words("/people/omar")
    assert "From projects.heart-attack.members.output_checker in node.yaml" in words
    assert "From projects.breast-cancer.members.output_checker in node.yaml" in words


def test_who_is_disabled_gets_in_by_no_way_and_comes_back(site: BrowsedSite, operator: Browser) -> None:
    """Somebody leaves: their token on some computer, and the page they have open, must not go on."""
    site.node.users.set_password(OLGA, "ana", PASSWORD)
    ana = site.browser("ana")
    assert "The user is disabled" in operator.send("/people/ana", "disable").text
    assert ana.get("/").url.path == "/login"
    for way in (
        lambda: site.node.users.authenticate_token(site.tokens["ana"]),
        lambda: site.node.users.authenticate_password("ana", PASSWORD),
    ):
        with pytest.raises(RefusedError):
            way()
    operator.send("/people/ana", "enable")
    assert site.node.users.authenticate_token(site.tokens["ana"]).actor.name == "ana"
    assert site.node.users.session_user(ana.session) is None
    told = [entry.action for entry in site.entries() if entry.subject == "ana"]
    assert [action for action in told if action in {"user.disable", "user.enable"}] == [
        "user.disable",
        "user.enable",
    ]


def test_a_second_factor_is_taken_away_for_who_has_lost_it(site: BrowsedSite, operator: Browser) -> None:
    site.node.users.set_password(OLGA, "ana", PASSWORD)
    assert "Take the second factor away" not in operator.get("/people/ana").text
    site.node.users.begin_second_factor(Actor("ana"))
    shared = site.node.users.second_factor("ana").shared
    assert shared is not None
    site.node.users.confirm_second_factor(Actor("ana"), pyotp.TOTP(shared.text).now())
    assert "With a password and a second factor" in operator.get("/people/ana").text
    assert "The second factor is taken away" in operator.send("/people/ana", "reset-second-factor").text
    assert not site.node.users.second_factor("ana").is_on
    assert site.node.users.authenticate_password("ana", PASSWORD) == Actor("ana")
    assert operator.send("/people/ana", "reset-second-factor").status_code == 404


def test_operators_do_not_shut_themselves_out(site: BrowsedSite, operator: Browser) -> None:
    page = operator.send("/people/olga", "disable")
    assert page.status_code == 403
    assert "You cannot shut yourself out" in page.text


def test_a_token_is_shown_once_works_and_is_revoked(site: BrowsedSite, operator: Browser) -> None:
    page = operator.send("/people/ana", "token", label="nightly", days="5", read_only="yes")
    secret = secret_in(page.text)
    authority = site.node.users.authenticate_token(secret)
    assert authority.actor == Actor("ana")
    assert authority.scope.is_limited
    assert secret not in operator.get("/people/ana").text
    assert secret not in site.audit_text()
    operator.send("/people/ana", "revoke-token", id=authority.id)
    with pytest.raises(RefusedError):
        site.node.users.authenticate_token(secret)


@pytest.mark.parametrize("days", ["", "0", "-1", "nine", "99999999999999999999", "٣"])
def test_a_token_has_an_end(operator: Browser, days: str) -> None:
    page = operator.send("/people/ana", "token", label="nightly", days=days)
    assert page.status_code == 400
    assert "number of days" in page.text


def test_sessions_are_seen_and_ended(site: BrowsedSite, operator: Browser) -> None:
    ana = site.browser("ana")
    session = site.node.users.list_sessions("ana")[0]
    operator.send("/people/ana", "end-session", id=session.id)
    assert site.node.users.session_user(ana.session) is None
    again = site.browser("ana")
    operator.send("/people/ana", "end-sessions")
    assert site.node.users.session_user(again.session) is None


def test_a_key_is_made_and_revoked_with_a_reason(site: BrowsedSite, operator: Browser) -> None:
    operator.send("/people/iris", "key")
    key = site.node.approver_keys.list("iris")[0]
    assert operator.send("/people/iris", "revoke-key", id=key.key_id, reason="").status_code == 400
    operator.send("/people/iris", "revoke-key", id=key.key_id, reason="the laptop was stolen")
    assert site.node.approver_keys.list("iris")[0].state == "REVOKED"


def test_a_coordinator_gets_a_token_that_is_ended(site: BrowsedSite, operator: Browser) -> None:
    page = operator.send("/people", "coordinator-token", coordinator="hub", days="30")
    secret = secret_in(page.text)
    assert site.node.coordinators.authenticate(secret) is not None
    operator.send("/people", "coordinator-revoke", coordinator="hub")
    assert site.node.coordinators.authenticate(secret) is None


def test_a_person_who_is_not_there_is_told(operator: Browser) -> None:
    assert operator.get("/people/eve").status_code == 404


def test_who_has_a_role_and_no_account_is_told(site: BrowsedSite, operator: Browser) -> None:
    """Otherwise an operator would look for a mistake in node.yaml that is not there."""
    with site.database.engine("owner").begin() as connection:
        connection.exec_driver_sql("DELETE FROM governance.api_tokens WHERE user_name = 'ivo'")
        connection.exec_driver_sql("DELETE FROM governance.users WHERE name = 'ivo'")
    assert "cannot sign in with a password or token of this node: ivo" in operator.words("/people")
