"""Federation coordinators: programs of other organisations that are handed what a node has released.

A coordinator is no person and has no role. It is named in node.yaml under a project's members, and sees that
project's RELEASED packages: nothing of runs, code, requests or people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from phems.domain.actors import Actor
from phems.domain.sign_in import TOKEN_PREFIX
from phems.errors import InputError, NotFoundError

COORDINATOR_TOKEN_PREFIX = f"{TOKEN_PREFIX}coordinator_"
"""Marks the token as of this kind, so that it is looked up among those of coordinators alone."""

LONGEST_LIFETIME = timedelta(days=366)


_MARK = "coordinator:"


def coordinator_actor(name: str) -> Actor:
    """Who the audit log names. No user's name has a colon in it, so nobody can be taken for one."""
    return Actor(_MARK + name, "system")


def name_of_coordinator(actor: Actor) -> str:
    """The coordinator's name; empty, which no coordinator has, for who is none."""
    is_one = actor.kind == "system" and actor.name.startswith(_MARK)
    return actor.name.removeprefix(_MARK) if is_one else ""


def projects_of(name: str, coordinators: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The projects whose packages a coordinator is handed; `coordinators` are named by project."""
    return frozenset(project for project, names in coordinators.items() if name in names)


def check_named(name: str, coordinators: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The coordinator's projects; NotFoundError when node.yaml names it nowhere."""
    found = projects_of(name, coordinators)
    if not found:
        raise NotFoundError(
            f"There is no coordinator {name!r}.",
            why="node.yaml names it under no project.",
            remedy=f"Add it in node.yaml: projects.PROJECT.members.coordinator: [{name}]",
        )
    return found


def check_lifetime(lifetime: timedelta) -> timedelta:
    """A lifetime that a token may have."""
    if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise InputError(
            "The token cannot have this lifetime.",
            why=f"it is {lifetime}; a coordinator's token lasts {LONGEST_LIFETIME.days} days at most.",
            remedy="Make a new one in time: phems coordinator token NAME --days 90",
        )
    return lifetime
