"""People sign in at a real provider, and are in every part of the node who their groups say."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.integration.identity.identity_site import OTHER, PROJECT, IdentitySite, identity_site
from tests.integration.identity.lying_provider import lying_provider, signed_with_public_key, unsigned
from tests.integration.identity.oidc_provider import SECRET, Browser, free_port
from tests.receivers import mail_server

from phems.adapters.mail import MailChannel, MailServer
from phems.adapters.postgres.database import Database
from phems.domain.actors import LOCAL_OPERATOR
from phems.errors import RefusedError
from phems.services.notifications import Notifier

PASSWORD = "four plain words here"


def test_somebody_signs_in_at_the_provider_and_goes_on_to_where_they_wanted(site: IdentitySite) -> None:
    browser = Browser()
    page = browser.get(f"{site.origin}/login")
    assert "Sign in with St Mary&#39;s" in page.text
    answer = browser.signs_in(site.origin, "s-ana", "/account?from=mail")
    assert answer.status_code == 200
    assert 'content="0; url=/account?from=mail"' in answer.text
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    account = browser.get(f"{site.origin}/account")
    assert "<dd>ana</dd>" in account.text
    assert "Data Analyst" in account.text
    actions = [(entry.actor, entry.action, entry.subject) for entry in site.entries()]
    assert ("node", "user.add", "ana") in actions
    assert ("ana", "session.open", "ana") in actions
    assert SECRET not in str([entry.details for entry in site.entries()])


def test_the_request_to_the_provider_has_pkce_state_and_nonce(site: IdentitySite) -> None:
    answer = Browser().get(f"{site.origin}/login/oidc")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert len(asked["state"]) >= 32
    assert len(asked["nonce"]) >= 32
    assert SECRET not in answer.headers["location"]


def test_every_part_of_the_node_gives_the_roles_of_the_groups(site: IdentitySite) -> None:
    """The API, the pages and Dagster's part each ask; whichever forgot the groups would lock people out."""
    browser = Browser()
    browser.signs_in(site.origin, "s-ana")
    me = browser.get(f"{site.origin}/api/me").json()
    assert me == {"name": "ana", "node_roles": [], "project_roles": {PROJECT: ["data_analyst"]}}
    assert browser.get(f"{site.origin}/dagster").json() == {"name": "ana", "roles": ["data_analyst"]}
    assert browser.get(f"{site.origin}/api/projects/{PROJECT}/code-revisions").status_code == 200
    assert browser.get(f"{site.origin}/api/projects/{OTHER}/code-revisions").status_code == 404
    assert browser.get(f"{site.origin}/api/users").status_code == 403
    operator = Browser()
    operator.signs_in(site.origin, "s-olga")
    assert operator.get(f"{site.origin}/api/users").status_code == 200
    [held] = site.node.membership.held("olga")
    assert held.source == "the group operators, by identity.groups in node.yaml"


def test_mail_goes_to_the_address_that_the_provider_has_verified(site: IdentitySite) -> None:
    """An address that nobody verified is anybody's; and none at all is a person whom nobody tells."""
    for subject in ("s-iris", "s-iris", "s-omar", "s-olga"):
        operator = Browser()
        operator.signs_in(site.origin, subject)
    users = operator.get(f"{site.origin}/api/users").json()["items"]
    assert {user["name"]: user["email"] for user in users} == {
        "iris": "iris@hospital.example",
        "olga": None,
        "omar": None,
    }
    assert "iris@hospital.example" in operator.get(f"{site.origin}/people").text
    assert "iris@hospital.example" in operator.get(f"{site.origin}/people/iris").text
    told = [entry for entry in site.entries() if entry.action == "user.set_email"]
    assert [(entry.actor, entry.subject) for entry in told] == [("node", "iris")], "once, not at each sign-in"
    assert "iris@" not in str([entry.details for entry in site.entries()])
    with mail_server(free_port()) as mailbox:
        channel = MailChannel(
            MailServer("127.0.0.1", mailbox.port, "none", "node@hospital.example"), node="n"
        )
        notifier = Notifier(
            site.node.governance,
            {"mail": channel},
            tasks_of=lambda names, _roles_in: dict.fromkeys(names, ()),
            roles_among=site.node.roles_among,
            grants=lambda: {PROJECT: [site.node.clock.now().date()]},
            url=site.origin,
            clock=site.node.clock,
        )
        notifier.collect()
        assert notifier.deliver() is None
        assert [message["To"] for message in mailbox.messages] == ["iris@hospital.example"]


def test_a_change_of_node_yaml_is_felt_by_who_is_signed_in(site: IdentitySite) -> None:
    """The session keeps the groups, not the roles: who is taken out is out at the next click."""
    browser = Browser()
    browser.signs_in(site.origin, "s-omar")
    assert browser.get(f"{site.origin}/api/projects/{OTHER}/release-requests").status_code == 200
    site.rewrite(lambda text: text.replace(", breast-cancer: [output_checker]}", "}"))
    assert browser.get(f"{site.origin}/api/projects/{OTHER}/release-requests").status_code == 404
    assert browser.get(f"{site.origin}/api/projects/{PROJECT}/release-requests").status_code == 200


def test_roles_by_name_and_by_group_come_together(site: IdentitySite) -> None:
    site.rewrite(
        lambda text: text.replace("information_asset_owner: [iris]", "information_asset_owner: [iris, omar]")
    )
    browser = Browser()
    browser.signs_in(site.origin, "s-omar")
    roles = browser.get(f"{site.origin}/api/me").json()["project_roles"]
    assert roles[PROJECT] == ["information_asset_owner", "output_checker"]


def test_a_token_and_a_vote_of_theirs_count_by_the_groups_of_their_last_sign_in(site: IdentitySite) -> None:
    Browser().signs_in(site.origin, "s-omar")
    made = site.node.users.issue_token(LOCAL_OPERATOR, "omar")
    headers = {"Authorization": f"Bearer {made.secret}"}
    me = httpx.get(f"{site.origin}/api/me", headers=headers).json()
    assert me["project_roles"][PROJECT] == ["output_checker"]
    # Asked while somebody else acts, as when votes are counted.
    assert site.node.access.may("omar", "release.vote", PROJECT)
    with site.node.governance.transaction() as work:
        long_ago = site.node.clock.now().replace(year=2020)
        work.users.remember_groups("omar", ["checkers"], long_ago)
    assert not site.node.access.may("omar", "release.vote", PROJECT)


def test_the_same_person_keeps_their_name_and_nobody_else_gets_it(site: IdentitySite) -> None:
    """Otherwise whoever renames themselves at the provider decides in another's name."""
    site.node.users.add_user(LOCAL_OPERATOR, "lola", PASSWORD)
    refused = Browser().signs_in(site.origin, "s-taken")
    assert refused.status_code == 403
    assert "The name lola is somebody else" in refused.text
    Browser().signs_in(site.origin, "s-omar")
    Browser().signs_in(site.origin, "s-omar")
    assert [user.name for user in site.node.users.list_users()] == ["lola", "omar"]


def test_an_operator_links_a_local_user_to_the_provider(site: IdentitySite) -> None:
    """Who had a password before is one user afterwards: two could approve each other's work."""
    users = site.node.users
    users.add_user(LOCAL_OPERATOR, "lola", PASSWORD)
    linked = users.link(LOCAL_OPERATOR, "lola", "s-taken")
    assert (linked.subject, linked.password_hash) == ("s-taken", None)
    browser = Browser()
    assert browser.signs_in(site.origin, "s-taken").status_code == 200
    assert browser.get(f"{site.origin}/api/me").json()["name"] == "lola"
    with pytest.raises(RefusedError):
        users.authenticate_password("lola", PASSWORD)
    with pytest.raises(RefusedError, match="no password"):
        users.set_password(LOCAL_OPERATOR, "lola", PASSWORD)
    users.add_user(LOCAL_OPERATOR, "other")
    with pytest.raises(RefusedError, match="is lola already"):
        users.link(LOCAL_OPERATOR, "other", "s-taken")


def test_a_name_that_cannot_be_one_here_is_told(site: IdentitySite) -> None:
    answer = Browser().signs_in(site.origin, "s-none")
    assert answer.status_code == 403
    assert "cannot be one here" in answer.text


def test_what_came_back_once_does_not_come_back_again(site: IdentitySite) -> None:
    """Attack 13: a state that was used, one of another browser, and one that nobody was given."""
    browser = Browser()
    back = browser.comes_back_to(site.origin, "s-ana")
    assert Browser().get(back).status_code == 403
    assert browser.get(back).status_code == 403  # the thief has used it up: it is nobody's
    back = browser.comes_back_to(site.origin, "s-ana")
    assert browser.get(back).status_code == 200
    assert browser.get(back).status_code == 403
    forged = f"{site.origin}/login/oidc/back?code=x&state=made-up"
    assert browser.get(forged).status_code == 403
    refused = [entry for entry in site.entries() if entry.result == "refused"]
    assert {entry.action for entry in refused} == {"user.sign_in"}
    assert len(refused) == 4


def test_somebody_who_says_no_at_the_provider_is_told_so(site: IdentitySite) -> None:
    browser = Browser()
    asked = browser.get(f"{site.origin}/login/oidc").headers["location"]
    state = parse_qs(urlsplit(asked).query)["state"][0]
    answer = browser.get(f"{site.origin}/login/oidc/back?error=access_denied&state={state}")
    assert answer.status_code == 403
    assert "It says: access_denied" in answer.text


def test_without_local_sign_in_passwords_open_nothing_and_their_sessions_end(site: IdentitySite) -> None:
    site.node.users.add_user(LOCAL_OPERATOR, "lola", PASSWORD)
    browser = Browser()
    form = {"name": "lola", "password": PASSWORD, "next": "/account"}
    assert browser.post(f"{site.origin}/login", form, site.origin).status_code == 303
    assert browser.get(f"{site.origin}/api/me").status_code == 200
    site.rewrite(lambda text: text.replace("identity:\n", "identity:\n  local: false\n"))
    with pytest.raises(RefusedError, match="with a password"):
        site.node.users.authenticate_password("lola", PASSWORD)
    refused = Browser().post(f"{site.origin}/login", form, site.origin)
    assert (refused.status_code, 'type="password"' in refused.text) == (403, False)
    assert site.node.users.session_user(browser.cookie("phems_session")) is None


def test_a_provider_that_is_down_is_told_and_stops_nobody_else(database: Database) -> None:
    """Nobody signs in by it, and those who are in, and those with a password, go on."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    with (
        tempfile.TemporaryDirectory(prefix="phems-") as folder,
        identity_site(Path(folder), database, nowhere, SECRET, 0) as site,
    ):
        browser = Browser()
        answer = browser.get(f"{site.origin}/login/oidc")
        assert answer.status_code == 503
        assert "cannot be used at the moment" in answer.text
        assert "does not answer" in answer.text
        site.node.users.add_user(LOCAL_OPERATOR, "lola", PASSWORD)
        form = {"name": "lola", "password": PASSWORD, "next": "/"}
        assert browser.post(f"{site.origin}/login", form, site.origin).status_code == 303


def test_a_web_token_is_no_way_past_the_door(site: IdentitySite) -> None:
    """Attack 13: the node takes its own tokens alone, not what a program that trusts the provider would."""
    with lying_provider() as provider:
        tokens = (
            unsigned(provider.claims(sub="olga")),
            signed_with_public_key(provider),
            provider.signed(provider.claims(exp=1)),
            provider.signed(provider.claims(aud="another")),
            provider.signed(provider.claims(sub="s-olga", iss=site.node.spec.identity.oidc.issuer)),
        )
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"}
        for path in ("/api/me", "/graphql", "/account"):
            assert httpx.get(f"{site.origin}{path}", headers=headers).status_code == 401
