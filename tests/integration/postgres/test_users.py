"""Local users: who they are is checked in a way that tells a guesser nothing, and is in the audit log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from argon2 import PasswordHasher as Argon2
from sqlalchemy import text

from phems.adapters.passwords import Argon2Hasher
from phems.adapters.sealed_totp import SealedTotp
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.authority import EVERYTHING, TokenScope
from phems.domain.permissions import READING
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.users import Client, Users

from .conftest import AuditedNode, SetClock

PASSWORD = "correct horse battery"


@pytest.fixture
def users(node: AuditedNode, clock: SetClock) -> Users:
    """The users of a node, with hashes that are quick to make."""
    quick = Argon2(time_cost=1, memory_cost=8, parallelism=1)
    factors = SealedTotp(lambda: b"k" * 32, "n")
    return Users(node.governance, clock=clock, passwords=Argon2Hasher(quick), factor_secrets=factors)


def acts(node: AuditedNode) -> list[tuple[str, str, str, str]]:
    with node.governance.transaction() as tx:
        return [(e.actor, e.action, e.subject, e.result) for e in tx.audit.tail(100)]


def test_a_user_signs_in_with_their_password_and_each_step_is_audited(
    users: Users, node: AuditedNode
) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    actor = users.authenticate_password("ada", PASSWORD)
    session = users.open_session(actor)
    opened = users.session_user(session.secret)
    assert opened is not None
    assert opened.actor == Actor("ada")
    users.close_session(session.secret)
    users.close_session(session.secret)
    assert users.session_user(session.secret) is None
    assert acts(node) == [
        ("local-operator", "user.add", "ada", "done"),
        ("ada", "session.open", "ada", "done"),
        ("ada", "session.close", "ada", "done"),
    ]


def test_no_secret_is_in_the_database_or_in_the_audit_log(users: Users, node: AuditedNode) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    secrets = [PASSWORD, users.issue_token(LOCAL_OPERATOR, "ada").secret]
    secrets.append(users.open_session(Actor("ada")).secret)
    with pytest.raises(RefusedError):
        users.authenticate_password(PASSWORD, "ada")
    dump = ""
    with node.database.engine("owner").connect() as connection:
        for table in ("users", "api_tokens", "user_sessions", "sign_in_failures"):
            rows = connection.execute(text(f"SELECT * FROM governance.{table}"))  # noqa: S608
            dump += str(rows.all())
    with node.governance.transaction() as tx:
        dump += "".join(entry.canonical().decode() for entry in tx.audit.tail(100))
    assert not [secret for secret in secrets if secret in dump]


@pytest.mark.parametrize("name", ["ada", "eve", "mona", "Not A Name", ""])
def test_a_wrong_password_an_unknown_name_and_no_password_are_refused_alike(users: Users, name: str) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    users.add_user(LOCAL_OPERATOR, "mona")
    with pytest.raises(RefusedError) as refused:
        users.authenticate_password(name, "wrong horse battery")
    assert refused.value.why == "the name or the password is wrong."


def test_a_refused_sign_in_is_audited_without_what_was_typed_as_an_unknown_name(
    users: Users, node: AuditedNode
) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    for name in ("ada", "my-secret-password"):
        with pytest.raises(RefusedError):
            users.authenticate_password(name, "wrong")
    assert acts(node)[1:] == [
        ("node", "user.sign_in", "ada", "refused"),
        ("node", "user.sign_in", "unknown", "refused"),
    ]


@pytest.mark.parametrize("name", ["ada", "eve"])
def test_guessing_is_slowed_down_for_known_and_unknown_names_alike(
    users: Users, clock: SetClock, name: str
) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    for _ in range(5):
        with pytest.raises(RefusedError, match="wrong"):
            users.authenticate_password(name, "guess")
    with pytest.raises(RefusedError, match="too many tries"):
        users.authenticate_password(name, PASSWORD)
    clock.advance(timedelta(seconds=2))
    with pytest.raises(RefusedError, match="wrong"):
        users.authenticate_password(name, "guess")


def test_names_that_were_made_up_are_forgotten_after_a_day(
    users: Users, clock: SetClock, node: AuditedNode
) -> None:
    for name in ("one", "two"):
        with pytest.raises(RefusedError):
            users.authenticate_password(name, "guess")
        clock.advance(timedelta(hours=25))
    with node.governance.transaction() as tx:
        assert tx.users.failures("one") is None
        assert tx.users.failures("two") is not None


def test_signing_in_forgets_the_failures_before_it(users: Users, clock: SetClock) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(RefusedError, match="wrong"):
                users.authenticate_password("ada", "guess")
        assert users.authenticate_password("ada", PASSWORD) == Actor("ada")


def test_a_new_password_ends_the_sessions_made_with_the_old(users: Users, node: AuditedNode) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    session = users.open_session(Actor("ada"))
    users.set_password(LOCAL_OPERATOR, "ada", "another horse battery")
    assert users.session_user(session.secret) is None
    with pytest.raises(RefusedError):
        users.authenticate_password("ada", PASSWORD)
    assert users.authenticate_password("ada", "another horse battery") == Actor("ada")
    assert ("local-operator", "user.set_password", "ada", "done") in acts(node)


def test_a_token_stands_for_its_user_until_it_expires(users: Users, clock: SetClock) -> None:
    users.add_user(LOCAL_OPERATOR, "ada")
    token = users.issue_token(LOCAL_OPERATOR, "ada", lifetime=timedelta(days=1))
    assert token.secret.startswith("phems_")
    assert users.authenticate_token(token.secret).actor == Actor("ada")
    clock.advance(timedelta(days=1))
    with pytest.raises(RefusedError, match="expired"):
        users.authenticate_token(token.secret)


def test_a_session_ends_by_itself_however_much_it_is_used(users: Users, clock: SetClock) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    session = users.open_session(Actor("ada"))
    for _ in range(23):
        clock.advance(timedelta(minutes=30))
        assert users.session_user(session.secret) is not None
    clock.advance(timedelta(minutes=30))
    assert users.session_user(session.secret) is None


def test_a_session_that_is_left_alone_ends(users: Users, clock: SetClock) -> None:
    """Somebody who goes home without signing out leaves the browser to whoever comes next."""
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    session = users.open_session(Actor("ada"))
    clock.advance(timedelta(minutes=59))
    assert users.session_user(session.secret) is not None
    clock.advance(timedelta(minutes=60))
    assert users.session_user(session.secret) is None
    assert users.list_sessions("ada") == []


def test_people_see_their_sessions_and_end_one_or_all(users: Users, node: AuditedNode) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    ada = Actor("ada")
    one, two, three = (users.open_session(ada, Client("10.0.0.7", f"Browser {n}")) for n in range(3))
    seen = users.list_sessions("ada")
    assert {(session.address, session.agent) for session in seen} == {
        ("10.0.0.7", f"Browser {n}") for n in range(3)
    }
    first = users.session_user(one.secret)
    assert first is not None
    users.end_session(ada, "ada", first.id)
    assert users.session_user(one.secret) is None
    assert users.session_user(two.secret) is not None
    with pytest.raises(NotFoundError):
        users.end_session(ada, "ada", first.id)
    assert users.end_sessions(ada, "ada") == 2
    assert users.session_user(three.secret) is None
    assert ("ada", "session.close_all", "ada", "done") in acts(node)


def test_people_see_their_tokens_with_their_last_use_and_revoke_one(
    users: Users, node: AuditedNode, clock: SetClock
) -> None:
    users.add_user(LOCAL_OPERATOR, "ada")
    scope = TokenScope(frozenset({"heart-attack"}), READING)
    made = users.issue_token(LOCAL_OPERATOR, "ada", label="nightly export", scope=scope)
    other = users.issue_token(LOCAL_OPERATOR, "ada")
    clock.advance(timedelta(minutes=5))
    assert users.authenticate_token(made.secret).scope == scope
    token = next(token for token in users.list_tokens("ada") if token.label)
    assert (token.label, token.scope, token.created_by) == ("nightly export", scope, "local-operator")
    assert token.last_used_at == clock.now()
    users.revoke_token(Actor("ada"), "ada", token.id)
    with pytest.raises(RefusedError):
        users.authenticate_token(made.secret)
    assert users.authenticate_token(other.secret).scope == EVERYTHING
    assert len(users.list_tokens("ada")) == 1
    with pytest.raises(NotFoundError):
        users.revoke_token(Actor("ada"), "ada", token.id)
    with pytest.raises(InputError, match="called"):
        users.issue_token(LOCAL_OPERATOR, "ada", label="two\nlines")


def test_guessing_under_many_names_from_one_address_is_slowed_down(users: Users, clock: SetClock) -> None:
    """A list of names and one common password gets into some account, a try for each name."""
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    for number in range(50):
        with pytest.raises(RefusedError, match="wrong"):
            users.authenticate_password(f"name{number}", "guess", "10.0.0.7")
    with pytest.raises(RefusedError, match="from this address"):
        users.authenticate_password("ada", PASSWORD, "10.0.0.7")
    assert users.authenticate_password("ada", PASSWORD, "10.0.0.8") == Actor("ada")
    clock.advance(timedelta(seconds=2))
    assert users.authenticate_password("ada", PASSWORD, "10.0.0.7") == Actor("ada")


def test_a_session_is_no_token_and_a_token_no_session(users: Users) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    session, token = users.open_session(Actor("ada")), users.issue_token(LOCAL_OPERATOR, "ada")
    assert users.session_user(token.secret) is None
    for wrong in (session.secret, "phems_", "", "phems_\ud800"):
        with pytest.raises(RefusedError):
            users.authenticate_token(wrong)


def test_a_disabled_user_gets_in_no_way(users: Users, node: AuditedNode) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    session, token = users.open_session(Actor("ada")), users.issue_token(LOCAL_OPERATOR, "ada")
    with node.database.engine("governance").begin() as connection:
        connection.execute(text("UPDATE governance.users SET disabled_at = now()"))
    assert users.session_user(session.secret) is None
    with pytest.raises(RefusedError):
        users.authenticate_token(token.secret)
    with pytest.raises(RefusedError):
        users.authenticate_password("ada", PASSWORD)


def test_a_name_is_given_once(users: Users, node: AuditedNode) -> None:
    users.add_user(LOCAL_OPERATOR, "ada")
    with pytest.raises(InputError, match="already"):
        users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    assert [user.name for user in users.list_users()] == ["ada"]
    assert len(acts(node)) == 1


def test_what_names_no_user_is_not_found(users: Users, node: AuditedNode) -> None:
    for act in (
        lambda: users.issue_token(LOCAL_OPERATOR, "eve"),
        lambda: users.set_password(LOCAL_OPERATOR, "eve", PASSWORD),
    ):
        with pytest.raises(NotFoundError, match="eve"):
            act()
    with pytest.raises(InputError, match="expired"):
        users.issue_token(LOCAL_OPERATOR, "eve", lifetime=timedelta(0))
    assert acts(node) == []


def test_a_changed_or_broken_hash_lets_nobody_in(users: Users, node: AuditedNode) -> None:
    users.add_user(LOCAL_OPERATOR, "ada", PASSWORD)
    with node.database.engine("governance").begin() as connection:
        connection.execute(text("UPDATE governance.users SET password_hash = 'not argon2'"))
    with pytest.raises(RefusedError):
        users.authenticate_password("ada", PASSWORD)
