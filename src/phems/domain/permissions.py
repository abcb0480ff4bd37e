"""Who may do what: one table, role by verb.

What a state allows is another question (the state tables), and so is "not one's own" (the author is
excluded from approving and from voting whatever their roles are): both stand with the thing they are about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Self

from phems.errors import RefusedError


class Role(StrEnum):
    """The roles of SATRE: the first three are a project's, the last two the node's."""

    DATA_ANALYST = "data_analyst"
    OUTPUT_CHECKER = "output_checker"
    INFORMATION_ASSET_OWNER = "information_asset_owner"
    OPERATOR = "operator"
    AUDITOR = "auditor"

    @property
    def title(self) -> str:  # type: ignore[override]
        """What people read."""
        return self.value.replace("_", " ").title()


PROJECT_ROLES = frozenset({Role.DATA_ANALYST, Role.OUTPUT_CHECKER, Role.INFORMATION_ASSET_OWNER})
NODE_ROLES = frozenset({Role.OPERATOR, Role.AUDITOR})

Verb = Literal[
    "audit.read",
    "capsule.approve",
    "capsule.list",
    "capsule.reject",
    "capsule.revoke",
    "code.approve",
    "code.list",
    "code.reject",
    "code.revoke",
    "code.submit",
    "lineage.read",
    "mlflow.read",
    "mlflow.write",
    "node.operate",
    "policy.approve",
    "policy.list",
    "policy.propose",
    "policy.reject",
    "project.read",
    "release.comment",
    "release.download",
    "release.list",
    "release.request",
    "release.revoke",
    "release.vote",
    "release.withdraw",
    "run.cancel",
    "run.launch",
    "run.list",
    "run.logs",
    "user.manage",
]

_ANALYST = Role.DATA_ANALYST
_CHECKER = Role.OUTPUT_CHECKER
_OWNER = Role.INFORMATION_ASSET_OWNER
_OPERATOR = Role.OPERATOR
_AUDITOR = Role.AUDITOR

PERMISSIONS: Mapping[Verb, frozenset[Role]] = {
    # An auditor sees what is there and what ran, everywhere, and changes nothing: see ADR 0027.
    "project.read": frozenset({_ANALYST, _CHECKER, _OWNER, _OPERATOR, _AUDITOR}),
    "code.submit": frozenset({_ANALYST}),
    "code.list": frozenset({_ANALYST, _CHECKER, _OWNER, _OPERATOR}),
    "code.approve": frozenset({_OWNER}),
    "code.reject": frozenset({_OWNER}),
    "code.revoke": frozenset({_OWNER}),
    "capsule.list": frozenset({_ANALYST, _CHECKER, _OWNER, _OPERATOR}),
    "capsule.approve": frozenset({_OWNER}),
    "capsule.reject": frozenset({_OWNER}),
    "capsule.revoke": frozenset({_OWNER}),
    "run.launch": frozenset({_ANALYST}),
    "run.list": frozenset({_ANALYST, _CHECKER, _OWNER, _OPERATOR}),
    "run.cancel": frozenset({_ANALYST, _OPERATOR}),
    # Logs are written by project code and may hold patient data: not for who merely runs the node.
    "run.logs": frozenset({_ANALYST}),
    # It names files and people, as the audit log does, and holds nothing of what is in the files.
    "lineage.read": frozenset({_ANALYST, _CHECKER, _OWNER, _AUDITOR}),
    # As with logs: project code wrote it.
    "mlflow.read": frozenset({_ANALYST}),
    "mlflow.write": frozenset({_ANALYST}),
    "release.request": frozenset({_ANALYST}),
    "release.list": frozenset({_ANALYST, _CHECKER, _OWNER}),
    "release.vote": frozenset({_CHECKER}),
    "release.comment": frozenset({_ANALYST, _CHECKER, _OWNER}),
    "release.withdraw": frozenset({_ANALYST}),
    "release.download": frozenset({_ANALYST, _CHECKER, _OWNER}),
    "release.revoke": frozenset({_OWNER}),
    "policy.list": frozenset({_ANALYST, _CHECKER, _OWNER, _OPERATOR}),
    "policy.propose": frozenset({_OPERATOR}),
    # Never who proposed it; an operator, only when another one proposed it under their name.
    "policy.approve": frozenset({_OWNER, _OPERATOR}),
    "policy.reject": frozenset({_OWNER, _OPERATOR}),
    "audit.read": frozenset({_OPERATOR, _AUDITOR}),
    "user.manage": frozenset({_OPERATOR}),
    "node.operate": frozenset({_OPERATOR}),
}


READING: frozenset[Verb] = frozenset(
    {
        "audit.read",
        "capsule.list",
        "code.list",
        "lineage.read",
        "mlflow.read",
        "policy.list",
        "project.read",
        "release.download",
        "release.list",
        "run.list",
        "run.logs",
    }
)
"""The verbs that change nothing: all that a read-only token is good for."""


class ScopedRoles(frozenset[Role]):
    """Roles as a token with a scope has them: they allow its verbs alone.

    A frozenset like any other, so that who asks for roles need not know of scopes; `may` does. What is made
    of it by set operations keeps the scope, lest a union somewhere let a token do more.
    """

    verbs: frozenset[Verb]

    def __new__(cls, roles: Iterable[Role], verbs: Iterable[Verb]) -> Self:
        """These roles, for these verbs."""
        made = super().__new__(cls, roles)
        made.verbs = frozenset(verbs)
        return made

    def union(self, *others: Iterable[Any]) -> ScopedRoles:
        """More roles, for the same verbs."""
        return ScopedRoles(frozenset(self).union(*others), self.verbs)

    def intersection(self, *others: Iterable[Any]) -> ScopedRoles:
        """Those that the others have too."""
        return ScopedRoles(frozenset(self).intersection(*others), self.verbs)

    def difference(self, *others: Iterable[Any]) -> ScopedRoles:
        """Those that the others do not have."""
        return ScopedRoles(frozenset(self).difference(*others), self.verbs)

    __or__ = __ror__ = union
    __and__ = __rand__ = intersection
    __sub__ = difference


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that somebody has, and why."""

    role: Role
    project: str | None
    """Where it holds; None for the whole node."""
    source: str
    """Where it comes from: a list in node.yaml, or a group of the identity provider."""


def verbs_held(held: Iterable[HeldRole], project: str | None) -> Mapping[Verb, tuple[HeldRole, ...]]:
    """What somebody may do in a project (None: on the whole node): each verb, with the roles that give it."""
    here = [one for one in held if one.project in {None, project}]
    found = {verb: tuple(one for one in here if one.role in roles) for verb, roles in PERMISSIONS.items()}
    return {verb: reasons for verb, reasons in found.items() if reasons}


def may(roles: Collection[Role], verb: Verb) -> bool:
    """Whether any of the roles allows it, and the scope of the token that has them."""
    if isinstance(roles, ScopedRoles) and verb not in roles.verbs:
        return False
    return not PERMISSIONS[verb].isdisjoint(roles)


def check_may(actor_name: str, roles: Collection[Role], verb: Verb, project: str | None = None) -> None:
    """Raise RefusedError, naming the roles that allow it, unless one of `roles` does."""
    if may(roles, verb):
        return
    needed = sorted(PERMISSIONS[verb])
    where = f" in {project}" if project is not None else ""
    if not PERMISSIONS[verb].isdisjoint(roles):
        raise RefusedError(
            f"{actor_name} may not do {verb}{where} with this token.",
            why=f"the token is for {', '.join(sorted(getattr(roles, 'verbs', ())))} alone.",
            remedy="Use another token of yours, or sign in at the node's own pages.",
        )
    lists = [
        f"projects.{project}.members.{role}" if role in PROJECT_ROLES else f"roles.{role}" for role in needed
    ]
    raise RefusedError(
        f"{actor_name} may not do {verb}{where}.",
        why=f"it needs the role {' or '.join(role.title for role in needed)}; "
        f"{actor_name} has {', '.join(role.title for role in sorted(roles)) or 'no role'}{where}.",
        remedy=f"Ask an operator to add {actor_name} in node.yaml under {' or '.join(lists)}.",
    )


def roles_of(name: str, *assignments: Mapping[Role, Collection[str]]) -> frozenset[Role]:
    """The roles a name has by the assignments: the node's, a project's members, or both."""
    return frozenset(role for assigned in assignments for role, names in assigned.items() if name in names)
