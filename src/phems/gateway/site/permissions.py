"""Who may do what, and why: for oneself, for the projects that one may see, and as the table of roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import Response

from phems.domain.permission_words import WORDS, about
from phems.domain.permissions import NODE_ROLES, PERMISSIONS, PROJECT_ROLES, HeldRole, Role, Verb
from phems.gateway.settings import Assignments
from phems.gateway.site.ask import Ask
from phems.gateway.site.page import Page


@dataclass(frozen=True, slots=True)
class Reason:
    """A role that the person has, where it comes from, and what it lets them do."""

    held: HeldRole
    words: tuple[str, ...]

    @property
    def where(self) -> str:
        """Of what they have it."""
        return f"project {self.held.project}" if self.held.project is not None else "the node"


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has which roles in one place."""

    place: str
    roles: Sequence[tuple[Role, Sequence[str]]]


def _show(ask: Ask) -> Response:
    membership = ask.settings.membership
    known = ask.projects()
    held = [one for one in ask.cases.membership.held(ask.person.name) if _is_known(one, known)]
    places = [_holders("The node", membership.node, NODE_ROLES)]
    places += [_holders(name, membership.projects[name], PROJECT_ROLES) for name in known]
    return ask.answer(
        "permissions.html",
        {
            "title": "Who may do what",
            "reasons": [Reason(one, _words_of(one.role)) for one in held],
            "holders": places,
            "roles": list(Role),
            "table": [(noun, list(verbs)) for noun, verbs in groupby(PERMISSIONS, key=about)],
            "permissions": PERMISSIONS,
            "words": WORDS,
        },
    )


def _is_known(held: HeldRole, projects: Sequence[str]) -> bool:
    return held.project is None or held.project in projects


def _words_of(role: Role) -> tuple[str, ...]:
    verbs: list[Verb] = [verb for verb, roles in PERMISSIONS.items() if role in roles]
    return tuple(WORDS[verb] for verb in verbs)


def _holders(place: str, assigned: Assignments, roles: frozenset[Role]) -> Holders:
    return Holders(place, [(role, sorted(assigned.get(role, ()))) for role in Role if role in roles])


PAGES: Sequence[Page] = (Page("/permissions", _show),)
