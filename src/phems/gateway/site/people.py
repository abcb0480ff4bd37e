"""People, for operators: who can sign in, what stands for them, which roles they have, and why.

A secret that was just made is shown in the answer to the form that asked for it, and never again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from starlette.responses import Response

from phems.domain import sign_in
from phems.domain.authority import check_unlimited, scope_of
from phems.domain.permissions import HeldRole
from phems.errors import InputError, NotFoundError
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.page import Act, Page
from phems.services.ports.users import User

LONGEST_DAYS = 3650
LONGEST_COORDINATOR_DAYS = 366


def _show_list(ask: Ask) -> Response:
    return _list(ask)


def _list(ask: Ask, **made: str) -> Response:
    _check(ask)
    users = ask.cases.users.list_users()
    known = {user.name for user in users}
    return ask.answer(
        "people.html",
        {
            "title": "People",
            "people": [(user, _roles_in_words(ask.cases.membership.held(user.name))) for user in users],
            "unknown": sorted(_named(ask) - known),
            "coordinators": ask.cases.coordinators.list(),
            "made_for": "",
            "made": "",
            **made,
        },
    )


def _add(ask: Ask) -> str:
    _check(ask)
    name, password = ask.text("name"), str(ask.fields.get("password", ""))
    ask.cases.users.add_user(ask.person, name, password or None)
    return address("people", name, done="user.add")


def _issue_coordinator_token(ask: Ask) -> Response:
    _check_changes(ask)
    name, days = ask.text("coordinator"), _days(ask, "days", LONGEST_COORDINATOR_DAYS)
    made = ask.cases.coordinators.issue_token(ask.person, name, lifetime=timedelta(days=days))
    return _list(ask, made=made.secret, made_for=name)


def _revoke_coordinator(ask: Ask) -> str:
    _check_changes(ask)
    ask.cases.coordinators.revoke(ask.person, ask.text("coordinator"))
    return address("people", done="coordinator.revoke")


def _show_person(ask: Ask) -> Response:
    return _person(ask)


def _person(ask: Ask, made: str = "") -> Response:
    _check(ask)
    user = _user(ask)
    cases = ask.cases
    return ask.answer(
        "person.html",
        {
            "title": user.name,
            "trail": [("People", "/people")],
            "user": user,
            "is_oneself": user.name == ask.person.name,
            "held": cases.membership.held(user.name),
            "tokens": cases.users.list_tokens(user.name),
            "sessions": cases.users.list_sessions(user.name),
            "keys": cases.approver_keys.list(user.name),
            "known_projects": sorted(cases.spec.projects),
            "days": sign_in.TOKEN_LIFETIME.days,
            "made": made,
        },
    )


def _set_password(ask: Ask, name: str) -> None:
    ask.cases.users.set_password(ask.person, name, str(ask.fields.get("password", "")))


def _set_email(ask: Ask, name: str) -> None:
    ask.cases.users.set_email(ask.person, name, ask.text("email") or None)


def _reset_second_factor(ask: Ask, name: str) -> None:
    ask.cases.users.reset_second_factor(ask.person, name)


def _disable(ask: Ask, name: str) -> None:
    ask.cases.users.disable_user(ask.person, name)


def _enable(ask: Ask, name: str) -> None:
    ask.cases.users.enable_user(ask.person, name)


def _revoke_token(ask: Ask, name: str) -> None:
    ask.cases.users.revoke_token(ask.person, name, ask.text("id"))


def _end_session(ask: Ask, name: str) -> None:
    ask.cases.users.end_session(ask.person, name, ask.text("id"))


def _end_sessions(ask: Ask, name: str) -> None:
    ask.cases.users.end_sessions(ask.person, name)


def _make_key(ask: Ask, name: str) -> None:
    ask.cases.approver_keys.make(ask.person, name)


def _revoke_key(ask: Ask, name: str) -> None:
    reason = ask.text("reason")
    if not reason:
        raise InputError("A key is revoked for a reason.", why="none was given.", remedy="Say what happened.")
    ask.cases.approver_keys.revoke(ask.person, name, ask.text("id"), reason=reason)


def _act(change: Callable[[Ask, str], None], done: str) -> Act:
    """A form about one person: who may do it is checked, the change made, and the person shown again."""

    def act(ask: Ask) -> str:
        name = _changed(ask)
        change(ask, name)
        return address("people", name, done=done)

    return act


def _issue_token(ask: Ask) -> Response:
    name = _changed(ask)
    scope = scope_of(
        ask.texts("project"),
        [],
        read_only=ask.text("read_only") == "yes",
        known=ask.cases.spec.projects,
    )
    made = ask.cases.users.issue_token(
        ask.person,
        name,
        lifetime=timedelta(days=_days(ask, "days", LONGEST_DAYS)),
        label=ask.text("label"),
        scope=scope,
    )
    return _person(ask, made.secret)


def _check(ask: Ask) -> None:
    ask.check("user.manage")


def _check_changes(ask: Ask) -> None:
    """As the API has it: a token with a scope manages nobody's tokens, lest it outgrow itself."""
    _check(ask)
    check_unlimited(ask.caller.authority, "change what others sign in with")


def _changed(ask: Ask) -> str:
    """The name of the user whom an act is about, once the person may do it."""
    _check_changes(ask)
    return _user(ask).name


def _user(ask: Ask) -> User:
    name = ask.name("name")
    found = next((user for user in ask.cases.users.list_users() if user.name == name), None)
    if found is None:
        raise NotFoundError(f"There is no user {name!r}.", remedy="The page of people lists them all.")
    return found


def _days(ask: Ask, name: str, longest: int) -> int:
    written = ask.text(name)
    is_number = written.isascii() and written.isdigit() and len(written) <= len(str(longest))
    if not is_number or not 1 <= int(written) <= longest:
        raise InputError("The token needs a number of days.", why=f"it lasts 1 to {longest} days.")
    return int(written)


def _named(ask: Ask) -> set[str]:
    """Everybody whom node.yaml gives a role."""
    membership = ask.settings.membership
    places = (membership.node, *membership.projects.values())
    return {name for place in places for names in place.values() for name in names}


def _roles_in_words(held: Sequence[HeldRole]) -> str:
    return ", ".join(
        one.role.title if one.project is None else f"{one.role.title} of {one.project}" for one in held
    )


_ACTS_ON_PERSON: Mapping[str, Act] = {
    "password": _act(_set_password, "user.set_password"),
    "email": _act(_set_email, "user.set_email"),
    "reset-second-factor": _act(_reset_second_factor, "user.reset_second_factor"),
    "disable": _act(_disable, "user.disable"),
    "enable": _act(_enable, "user.enable"),
    "token": _issue_token,
    "revoke-token": _act(_revoke_token, "user.revoke_token"),
    "end-session": _act(_end_session, "session.close"),
    "end-sessions": _act(_end_sessions, "session.close_all"),
    "key": _act(_make_key, "user.key-new"),
    "revoke-key": _act(_revoke_key, "user.key-revoke"),
}

_ACTS_ON_ALL: Mapping[str, Act] = {
    "add": _add,
    "coordinator-token": _issue_coordinator_token,
    "coordinator-revoke": _revoke_coordinator,
}

PAGES: Sequence[Page] = (
    Page("/people", _show_list, _ACTS_ON_ALL),
    Page("/people/{name}", _show_person, _ACTS_ON_PERSON),
)
