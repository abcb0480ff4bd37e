"""One request of a page, as its handler sees it: who asks, for what, and with which fields."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from phems.domain.actors import Actor
from phems.domain.permissions import Verb, check_may
from phems.errors import InputError, NotFoundError, PhemsError, RefusedError
from phems.gateway.callers import Caller, Credential, current_caller
from phems.gateway.door import SESSION_COOKIE, for_people
from phems.gateway.pages import render
from phems.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from phems.gateway.api.use_cases import UseCases

CSRF_FIELD = "csrf"
ACT_DONE = "done"
"""The query key by which an address names what was just done."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of a signed-in person. `error` is what their act on this page failed with, if it did."""

    cases: UseCases
    settings: GatewaySettings
    request: Request
    caller: Caller
    fields: FormData = field(default_factory=FormData)
    error: PhemsError | None = None

    @property
    def person(self) -> Actor:
        """Who asks."""
        return self.caller.actor

    @property
    def path(self) -> str:
        """Where the page is, as it was asked for."""
        return self.request.url.path

    def name(self, part: str) -> str:
        """A part of the address, such as the project's name."""
        return str(self.request.path_params[part])

    def query(self, key: str, default: str = "") -> str:
        """A value of the query string."""
        return self.request.query_params.get(key, default)

    def text(self, key: str, default: str = "") -> str:
        """A field of the form, without white space around it."""
        value = self.fields.get(key, default)
        return value.strip() if isinstance(value, str) else default

    def texts(self, key: str) -> list[str]:
        """All values of a field that may come more than once: check boxes, say."""
        return [value for value in self.fields.getlist(key) if isinstance(value, str)]

    def may(self, verb: Verb, project: str | None = None) -> bool:
        """Whether the person may do `verb` in a project, or (without one) on the node."""
        return self.settings.membership.may_in(self.person.name, project, verb)

    def check(self, verb: Verb) -> None:
        """Raise `RefusedError`, which names the roles that it takes, unless the person may do `verb`."""
        check_may(self.person.name, self.settings.membership.roles(self.person.name), verb)

    def projects(self) -> list[str]:
        """The projects in which the person may read, by name."""
        return [name for name in sorted(self.settings.membership.projects) if self.may("project.read", name)]

    def known_project(self) -> str:
        """The project of the address; `NotFoundError`, in the same words, for another's and for none."""
        project = self.name("project")
        if project not in self.projects():
            raise NotFoundError(
                f"There is no project {project!r} here for you.",
                why="no such project exists, or you have no role in it.",
                remedy="The projects page lists those that you have a role in.",
            )
        return project

    def csrf(self) -> str:
        """What a form of this session carries: known to its own pages alone."""
        return csrf_of(self.request.cookies.get(SESSION_COOKIE, ""))

    def check_csrf(self) -> None:
        """Raise `RefusedError` for an act that no page of this session sent."""
        if self.caller.credential is not Credential.SESSION:
            return  # a token is never sent by a browser itself
        if not hmac.compare_digest(self.text(CSRF_FIELD).encode(), self.csrf().encode()):
            raise RefusedError(
                "The form is not of this session.",
                why="it was opened before you signed in anew, or another page sent it.",
                remedy="Open the page again, and send the form from there.",
            )

    def answer(self, template: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
        """The page, in the frame that every page has. An act that failed is told at its top."""
        from phems.gateway.site.frame import framed

        if self.error is not None:
            from phems.gateway.problems import status_of

            status = status_of(self.error)
        return render(f"site/{template}", framed(self, values), status=status)


def asked(
    cases: UseCases, settings: GatewaySettings, request: Request, fields: FormData | None = None
) -> Ask:
    """The request as an `Ask`; a coordinator's token opens no page."""
    caller = current_caller.get()
    assert caller is not None, "the door lets nobody through without a caller"  # noqa: S101
    if caller.credential is Credential.COORDINATOR:
        raise for_people()
    return Ask(cases, settings, request, caller, fields or FormData())


def csrf_of(session: str) -> str:
    """The form token of a session. Of its secret nothing can be learnt from it."""
    return hashlib.sha256(b"phems form " + session.encode()).hexdigest()[:40]


def address(*parts: str, **query: str | int | None) -> str:
    """A path of this site: `address("projects", name)`; parts and values are quoted."""
    path = "/" + "/".join(quote(part, safe="") for part in parts)
    given = {key: value for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def one_of(value: str, allowed: Sequence[str], *, what: str) -> str:
    """A choice of a form; `InputError` when it is none of those on offer."""
    if value not in allowed:
        raise InputError(f"{what} must be chosen.", why=f"the choices are {', '.join(allowed)}.")
    return value
