"""Who holds which roles at this moment: all that asks for a person's roles is answered here.

A person has roles by name and by group, as node.yaml has it at this moment. Of whoever acts, the groups are
those of their session, and the scope of their token narrows the roles: `acting` is set where a credential was
checked, and nowhere else. Of everybody else (a checker whose vote is counted) the groups are those of their
last sign-in, and no scope applies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from phems.domain.authority import Authority
from phems.domain.permissions import NODE_ROLES, PROJECT_ROLES, HeldRole, Role
from phems.nodespec import NodeSpec

current_authority: ContextVar[Authority | None] = ContextVar("phems_authority", default=None)
RolesIn = Callable[[str, str], frozenset[Role]]
"""The roles of a person in a project, node-wide ones included; for the empty name: those anywhere."""


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

    def __init__(
        self,
        spec: Callable[[], NodeSpec],
        remembered_groups: Callable[[str], frozenset[str]] = lambda _name: frozenset(),
    ) -> None:
        self._spec = spec
        self._remembered_groups = remembered_groups

    def roles(self, name: str, project: str | None = None) -> frozenset[Role]:
        """Node-wide roles, with those in a project when one is named, as far as the scope goes."""
        spec = self._spec()
        found = held_roles(spec, name, self._groups(spec, name), () if project is None else (project,))
        return within_scope(name, project, frozenset(held.role for held in found))

    def in_scope(self, name: str, scope: str) -> frozenset[Role]:
        """The roles in a project, or (empty) those anywhere."""
        if scope:
            return self.roles(name, scope)
        return self.roles(name).union(*(self.roles(name, project) for project in self._spec().projects))

    def held(self, name: str) -> Sequence[HeldRole]:
        """Every role that a person has anywhere, and why; what a token's scope takes away is not left out."""
        spec = self._spec()
        return held_roles(spec, name, self._groups(spec, name), spec.projects)

    def _groups(self, spec: NodeSpec, name: str) -> frozenset[str]:
        if not spec.identity.groups:
            return frozenset()
        authority = authority_of(name)
        return self._remembered_groups(name) if authority is None else authority.groups


def held_roles(
    spec: NodeSpec, name: str, groups: Collection[str], projects: Collection[str]
) -> Sequence[HeldRole]:
    """The roles of a person on the node and in these projects; one that there is not has none."""
    known = [project for project in projects if project in spec.projects]
    held = [
        HeldRole(role, None, f"roles.{role} in node.yaml")
        for role in sorted(NODE_ROLES)
        if name in getattr(spec.roles, role)
    ]
    held += [
        HeldRole(role, project, f"projects.{project}.members.{role} in node.yaml")
        for project in known
        for role in sorted(PROJECT_ROLES)
        if name in getattr(spec.projects[project].members, role)
    ]
    for group, given in spec.identity.groups.items():
        if group not in groups:
            continue
        source = f"the group {group}, by identity.groups in node.yaml"
        held += [HeldRole(Role(role), None, source) for role in given.roles]
        held += [
            HeldRole(Role(role), project, source)
            for project in known
            for role in given.projects.get(project, ())
        ]
    return held
