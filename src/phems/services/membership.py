"""Who holds which roles at this moment: all that asks for a person's roles is answered here.

A person has roles by name, in node.yaml. Of whoever acts, the scope of their token narrows the roles:
`acting` is set where a credential was checked, and nowhere else. Of everybody else (a checker whose vote is
counted) no scope applies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from phems.domain.authority import Authority
from phems.domain.permissions import NODE_ROLES, PROJECT_ROLES, HeldRole, Role
from phems.nodespec import NodeSpec

current_authority: ContextVar[Authority | None] = ContextVar("phems_authority", default=None)


@contextmanager
def acting(authority: Authority | None) -> Iterator[None]:
    """Let the block run on the authority of somebody whose credential was checked; None: of nobody's."""
    before = current_authority.set(authority)
    try:
        yield
    finally:
        current_authority.reset(before)


def authority_of(name: str) -> Authority | None:
    """The authority of a person, when it is they who act."""
    authority = current_authority.get()
    return authority if authority is not None and authority.actor.name == name else None


def within_scope(name: str, project: str | None, roles: frozenset[Role]) -> frozenset[Role]:
    """What a person's roles in a project come to under the token that they act with, if any."""
    authority = authority_of(name)
    return roles if authority is None else authority.scope.within(roles, project)


class RolesInForce:
    """The roles of people, by the node spec of the moment."""

    def __init__(self, spec: Callable[[], NodeSpec]) -> None:
        self._spec = spec

    def roles(self, name: str, project: str | None = None) -> frozenset[Role]:
        """Node-wide roles, with those in a project when one is named, as far as the scope goes."""
        found = held_roles(self._spec(), name, () if project is None else (project,))
        return within_scope(name, project, frozenset(held.role for held in found))

    def held(self, name: str) -> Sequence[HeldRole]:
        """Every role that a person has anywhere, and why; what a token's scope takes away is not left out."""
        spec = self._spec()
        return held_roles(spec, name, spec.projects)


def held_roles(spec: NodeSpec, name: str, projects: Collection[str]) -> Sequence[HeldRole]:
    """The roles of a person on the node and in these projects; one that there is not has none."""
    held = [
        HeldRole(role, None, f"roles.{role} in node.yaml")
        for role in sorted(NODE_ROLES)
        if name in getattr(spec.roles, role)
    ]
    held += [
        HeldRole(role, project, f"projects.{project}.members.{role} in node.yaml")
        for project in projects
        if project in spec.projects
        for role in sorted(PROJECT_ROLES)
        if name in getattr(spec.projects[project].members, role)
    ]
    return held
