"""Who asks for what: the parameters that every route has, and the permission that stands beside a route.

Routes about a project have their permission checked by the use case; those about the node as a whole (users,
the audit log) by `permitted`. Either way `row` puts it into the OpenAPI document, as `x-permission`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

from fastapi import Depends, Path, Request

from phems.domain.actors import Actor
from phems.domain.authority import check_unlimited
from phems.domain.permissions import Verb, check_may, may
from phems.errors import NotFoundError, RefusedError
from phems.gateway.api.use_cases import UseCases
from phems.gateway.callers import Caller, Credential, current_caller
from phems.gateway.door import for_people

PERMISSION = "x-permission"
GIVES_SECRET = "x-gives-secret"  # noqa: S105 (a mark, not a secret)
SIGNED_IN = "signed in"
"""For what any signed-in person may ask: it answers about themselves, or what their roles let them see."""
OWN = "user.manage, or one's own"
"""For what is about one user: that user may, and who manages users."""
COORDINATOR = "coordinator"


async def _cases(request: Request) -> UseCases:
    return cast(UseCases, request.app.state.cases)


async def _person() -> Actor:
    caller = _caller()
    if caller.credential is Credential.COORDINATOR:
        raise for_people()
    return caller.actor


async def _coordinator() -> Actor:
    caller = _caller()
    if caller.credential is not Credential.COORDINATOR:
        raise RefusedError(
            "Only a federation coordinator is answered here.",
            why="this is where released packages are handed to other organisations.",
            remedy="To see release requests: GET /api/projects/PROJECT/release-requests. "
            "A coordinator's token is made with: phems coordinator token NAME",
        )
    return caller.actor


def _caller() -> Caller:
    caller = current_caller.get()
    assert caller is not None, "the door lets nobody through without a caller"  # noqa: S101
    return caller


Cases = Annotated[UseCases, Depends(_cases)]
Person = Annotated[Actor, Depends(_person)]
Coordinator = Annotated[Actor, Depends(_coordinator)]
Project = Annotated[str, Path(description="The project's name.", max_length=63, examples=["heart-attack"])]


def permitted(verb: Verb) -> Callable[[Cases, Person], Actor]:
    """A parameter that is the person who asks, once they may do `verb` on the node."""

    def check(cases: Cases, person: Person) -> Actor:
        check_may(person.name, cases.roles_in(person.name), verb)
        return person

    return check


def check_own(cases: UseCases, person: Actor, name: str) -> None:
    """Raise `RefusedError` unless it is the person's own, or they manage users."""
    if person.name != name:
        check_may(person.name, cases.roles_in(person.name), "user.manage")


def check_changes_own(cases: UseCases, person: Actor, name: str, what: str) -> None:
    """`check_own`, for a change: a token with a scope is no way to change one's own account."""
    if person.name == name and not may(cases.roles_in(name), "user.manage"):
        check_unlimited(_caller().authority, what)
        return
    check_may(person.name, cases.roles_in(person.name), "user.manage")


def check_knows(cases: UseCases, person: Actor, project: str) -> None:
    """Raise `NotFoundError` unless the person has a role in the project, or on the node, and it exists."""
    if project not in cases.spec.projects or not cases.roles_in(person.name, project):
        raise NotFoundError(
            f"There is no project {project!r} here for you.",
            why="no such project exists, or you have no role in it.",
            remedy="GET /api/projects",
        )


def row(
    noun_verb: str, permission: Verb | str, *, gives_secret: bool = False, **more: Any
) -> Mapping[str, Any]:
    """What a route is called, `noun.verb` as on the command line, and what it takes to be answered.

    The answer of one that `gives_secret` is told once, and kept nowhere.
    """
    extra = {PERMISSION: permission, **({GIVES_SECRET: True} if gives_secret else {})}
    return {"operation_id": noun_verb, "openapi_extra": extra, **more}
