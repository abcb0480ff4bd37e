"""What stands behind somebody who acts: who they are, the groups they come with, the scope of their token."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, cast, get_args

from phems.domain.actors import Actor
from phems.domain.permissions import READING, Role, ScopedRoles, Verb
from phems.errors import InputError, RefusedError

AuthorityKind = Literal["session", "token"]


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What of its user's roles a token has; None is no limit."""

    projects: frozenset[str] | None = None
    verbs: frozenset[Verb] | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is anything that the user may do and the token may not."""
        return self.projects is not None or self.verbs is not None

    def within(self, roles: frozenset[Role], project: str | None) -> frozenset[Role]:
        """What is left of roles in a project (None: on the whole node)."""
        if self.projects is not None and project not in self.projects:
            return frozenset()
        return roles if self.verbs is None else ScopedRoles(roles, self.verbs)

    def __str__(self) -> str:
        where = "all projects" if self.projects is None else ", ".join(sorted(self.projects))
        if self.verbs is None:
            return f"everything in {where}" if self.projects is not None else "everything"
        what = "reading" if self.verbs == READING else ", ".join(sorted(self.verbs))
        return f"{what} in {where}"


EVERYTHING = TokenScope()
"""The scope that takes nothing away."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who acts, with which groups of the identity provider, and within which scope."""

    actor: Actor
    kind: AuthorityKind = "token"
    groups: frozenset[str] = frozenset()
    scope: TokenScope = EVERYTHING
    id: str = ""
    """The public name of the session or token: see `Grant.id`."""
    must_enrol: bool = False
    """Whether they have to set up a second factor first: until then they may do nothing else."""


def scope_of(
    projects: Collection[str], verbs: Collection[str], *, read_only: bool, known: Collection[str]
) -> TokenScope:
    """The scope that somebody asks for; an InputError names a project or verb that there is not."""
    strange = sorted(set(projects) - set(known))
    if strange:
        raise InputError(
            f"There is no project {strange[0]!r} for a token.",
            why=f"the projects are {', '.join(sorted(known)) or 'none'}.",
            remedy="phems project list",
        )
    unknown = sorted(set(verbs) - set(get_args(Verb)))
    if unknown:
        raise InputError(
            f"There is no verb {unknown[0]!r}.",
            why=f"The verbs are {', '.join(sorted(get_args(Verb)))}.",
            remedy="phems user token NAME --read-only, or --verb run.launch",
        )
    if read_only and verbs:
        raise InputError(
            "A token is read-only, or for verbs that are named: not both.",
            why="read-only names its verbs itself.",
            remedy="Leave out one of the two.",
        )
    asked = READING if read_only else frozenset(cast(Verb, verb) for verb in verbs)
    return TokenScope(frozenset(projects) or None, asked or None)


def check_unlimited(authority: Authority | None, what: str) -> None:
    """Raise RefusedError when the one who acts comes with a limited token: it must not outgrow itself."""
    if authority is not None and authority.scope.is_limited:
        raise RefusedError(
            f"A token with a scope cannot {what}.",
            why=f"it is for {authority.scope} alone.",
            remedy="Sign in at the node's own pages, or use a token without a scope.",
        )
