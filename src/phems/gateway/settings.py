"""What the gateway must know of the node: which names it answers to, and who has which role where."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from phems.domain.permissions import Role, Verb, may, roles_of
from phems.nodespec import NodeSpec
from phems.nodespec.gateway import Connections, RateLimits
from phems.services.membership import RolesInForce, within_scope

MIB = 1024 * 1024

Assignments = Mapping[Role, Collection[str]]


@dataclass(frozen=True, slots=True)
class Membership:
    """The roles of people: on the node, and in each project."""

    node: Assignments
    projects: Mapping[str, Assignments]

    def roles(self, name: str, project: str | None = None) -> frozenset[Role]:
        """Node-wide roles, with those in a project when one is named, as far as the caller's token goes."""
        held = roles_of(name, self.node, self.projects.get(project, {}) if project else {})
        return within_scope(name, project, held)

    def roles_anywhere(self, name: str) -> frozenset[Role]:
        """The roles on the node and in any project."""
        return self.roles(name).union(*(self.roles(name, project) for project in self.projects))

    def may_somewhere(self, name: str, *verbs: Verb) -> bool:
        """Whether one of the verbs is allowed, on the node or in some project."""
        return any(self.may_in(name, project, *verbs) for project in (None, *self.projects))

    def may_in(self, name: str, project: str | None, *verbs: Verb) -> bool:
        """Whether one of the verbs is allowed in a project (None: on the whole node)."""
        roles = self.roles(name, project)
        return any(may(roles, verb) for verb in verbs)

    def projects_of(self, name: str, *verbs: Verb) -> frozenset[str]:
        """The projects in which one of the verbs is allowed."""
        return frozenset(project for project in self.projects if self.may_in(name, project, *verbs))


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway behaves; `membership` says who may do what."""

    membership: Membership
    title: str = "PHEMS node"
    host_names: frozenset[str] = field(default_factory=frozenset)
    """Names it answers to, beside the loopback's and plain addresses: small letters, no port."""
    tls: bool = False
    """Whether people reach it by https: cookies are then Secure, and their origin starts with https."""
    public_url: str | None = None
    """The address that people use, when it is not that of host and port."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose word on who connects to them counts."""
    rate_limits: RateLimits | None = None
    """How often one person may ask; None: as often as they like."""
    connections: Connections | None = None
    """How much may be open at once; None: as much as the machine takes."""
    metrics_token: str | None = None
    """What opens /metrics to a program; None: being on this machine does."""
    max_body_bytes: int = 4 * MIB
    session_seconds: float = 2.0
    """For how long an answer about a session is kept; revoking one is felt after that."""


RolesIn = Callable[[str, str | None], frozenset[Role]]


class MembershipInForce(Membership):
    """The roles of people by the node spec of the moment: other policies may come into force meanwhile."""

    __slots__ = ("_roles_in", "_spec")
    _spec: Callable[[], NodeSpec]
    _roles_in: RolesIn

    def __init__(self, spec: Callable[[], NodeSpec], roles_in: RolesIn) -> None:
        object.__setattr__(self, "_spec", spec)
        object.__setattr__(self, "_roles_in", roles_in)

    def roles(self, name: str, project: str | None = None) -> frozenset[Role]:
        """What the node answers to everything that asks for roles."""
        return self._roles_in(name, project)

    @property
    def node(self) -> Assignments:
        """Who is listed for a role on the node."""
        roles = self._spec().roles
        return {Role.OPERATOR: roles.operator, Role.AUDITOR: roles.auditor}

    @property
    def projects(self) -> Mapping[str, Assignments]:
        """Who is listed for a role in each project."""
        return {
            name: {
                Role.DATA_ANALYST: project.members.data_analyst,
                Role.OUTPUT_CHECKER: project.members.output_checker,
                Role.INFORMATION_ASSET_OWNER: project.members.information_asset_owner,
            }
            for name, project in self._spec().projects.items()
        }


def settings_of(
    spec: NodeSpec, in_force: Callable[[], NodeSpec] | None = None, roles_in: RolesIn | None = None
) -> GatewaySettings:
    """The settings that a node spec amounts to; with `in_force`, membership follows what that gives.

    InputError when the environment lacks the token that node.yaml names.
    """
    gateway = spec.gateway
    spec_now = in_force or (lambda: spec)
    names = {gateway.host, gateway.public_host or gateway.host, socket.gethostname()}
    return GatewaySettings(
        membership=MembershipInForce(spec_now, roles_in or RolesInForce(spec_now).roles),
        title=spec.node.title or spec.node.name,
        host_names=frozenset(name.lower() for name in names),
        tls=gateway.is_https,
        public_url=gateway.public_url,
        trusted_proxies=gateway.trusted_proxies,
        rate_limits=gateway.rate_limits,
        connections=gateway.connections,
        metrics_token=gateway.metrics.secret(os.environ),
    )
