"""Policy versions: what the node and its projects are held to, what a version changes, who confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from phems.domain.permissions import Verb
from phems.domain.policy_changes import ABSENT, LOOSENS, Change
from phems.domain.policy_versions import NODE_SCOPE, PolicyRecord, PolicyState, check_second_person
from phems.errors import NotFoundError, PhemsError
from phems.gateway.node_scope import NODE
from phems.gateway.site.ask import ACT_DONE, Ask, address
from phems.gateway.site.page import Page
from phems.gateway.spelling import size

_SIZES = frozenset({"max_file_size", "memory"})


@dataclass(frozen=True)
class ShownChange:
    """A rule that a version changes, in words."""

    rule: str
    before: str
    after: str
    loosens: bool


@dataclass(frozen=True)
class Scope:
    """What has policy versions: the node, or a project."""

    name: str
    title: str
    link: str
    in_force: PolicyRecord | None
    pending: PolicyRecord | None


def _overview(ask: Ask) -> Response:
    scopes = [_scope(ask, name) for name in _known(ask)]
    return ask.answer("policies.html", {"title": "Policies", "scopes": scopes})


def _versions(ask: Ask) -> Response:
    scope = _asked(ask)
    records = ask.cases.policies.list(ask.person, scope)
    return ask.answer(
        "policy_versions.html",
        {
            "title": f"Policy versions of {_title(scope)}",
            "trail": [("Policies", "/policies")],
            "records": records,
            "scope": scope or NODE,
        },
    )


def _show(ask: Ask) -> Response:
    scope, number = _asked(ask), _number(ask)
    record = ask.cases.policies.show(ask.person, scope, number)
    diff = ask.cases.policies.diff(ask.person, scope, number)
    changes = [shown_change(change) for change in diff.changes]
    return ask.answer(
        "policy.html",
        {
            "title": f"Policy version {number} of {_title(scope)}",
            "trail": [
                ("Policies", "/policies"),
                (scope or "The node", address("policies", scope or NODE)),
            ],
            "record": record,
            "before": diff.before,
            "loosening": [change for change in changes if change.loosens],
            "others": [change for change in changes if not change.loosens],
            "may_decide": _may_decide(ask, record),
        },
    )


def _approve(ask: Ask) -> str:
    """Confirm it as the second person."""
    ask.cases.policies.approve(ask.person, _asked(ask), _number(ask))
    return _back(ask, "policy.approve")


def _reject(ask: Ask) -> str:
    """Refuse it."""
    ask.cases.policies.reject(ask.person, _asked(ask), _number(ask), reason=ask.text("reason"))
    return _back(ask, "policy.reject")


def shown_change(change: Change) -> ShownChange:
    """A change in words: of an element of a list, that it is added or taken out."""
    *where, last = (part.replace("_", " ") for part in change.path)
    is_element = True in (change.before, change.after) and ABSENT in (change.before, change.after)
    is_size = change.path[-1] in _SIZES
    values = (change.before, change.after)
    if is_element and len(change.path) > 1 and change.path not in LOOSENS:
        before, after = ("" if value is ABSENT else change.path[-1] for value in values)
        rule = ": ".join(where)
    else:
        before, after = (
            size(value) if is_size and isinstance(value, int) else _words(value) for value in values
        )
        rule = ": ".join([*where, last])
    return ShownChange(rule[:1].upper() + rule[1:], before, after, change.loosens)


def _words(value: Any) -> str:
    if value is ABSENT:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _may_decide(ask: Ask, record: PolicyRecord) -> bool:
    if record.state is not PolicyState.PENDING or not _may(ask, record.scope, "policy.approve"):
        return False
    try:
        check_second_person(record, ask.person.name, _roles(ask, record.scope))
    except PhemsError:
        return False
    return True


def _known(ask: Ask) -> list[str]:
    node = [NODE_SCOPE] if _may(ask, NODE_SCOPE, "policy.list") else []
    projects = ask.settings.membership.projects
    return [*node, *(name for name in sorted(projects) if _may(ask, name, "policy.list"))]


def _asked(ask: Ask) -> str:
    name = ask.name("scope")
    scope = NODE_SCOPE if name == NODE else name
    if scope not in _known(ask):
        raise NotFoundError(
            f"There are no policy versions of {name!r} here for you.",
            why="no such project exists, or you have no role in it.",
            remedy="The page of policies lists those that there are.",
        )
    return scope


def _number(ask: Ask) -> int:
    most_digits = 7
    text = ask.name("number")
    if not (text.isascii() and text.isdigit() and len(text) <= most_digits):
        raise NotFoundError(
            f"There is no policy version {text!r}.", remedy="The page of policies lists them."
        )
    return int(text)


def _may(ask: Ask, scope: str, verb: Verb) -> bool:
    membership, name = ask.settings.membership, ask.person.name
    return membership.may_in(name, scope, verb) if scope else membership.may_somewhere(name, verb)


def _roles(ask: Ask, scope: str) -> Any:
    membership, name = ask.settings.membership, ask.person.name
    return membership.roles(name, scope) if scope else membership.roles_anywhere(name)


def _scope(ask: Ask, scope: str) -> Scope:
    records = ask.cases.policies.list(ask.person, scope)
    states = {record.state: record for record in records}
    return Scope(
        scope,
        scope or "The node",
        address("policies", scope or NODE),
        states.get(PolicyState.IN_FORCE),
        states.get(PolicyState.PENDING),
    )


def _title(scope: str) -> str:
    return scope or "the node"


def _back(ask: Ask, done: str) -> str:
    return address("policies", ask.name("scope"), ask.name("number"), **{ACT_DONE: done})


PAGES = (
    Page("/policies", _overview),
    Page("/policies/{scope}", _versions),
    Page("/policies/{scope}/{number}", _show, {"approve": _approve, "reject": _reject}),
)
