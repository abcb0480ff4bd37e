"""What a page is: an address, how it is shown, and the acts that its forms ask for.

An act that succeeds leads on by redirect (so that a reload does not repeat it), with the name of what was
done in the address: the frame says it in words. One that fails shows the page again with the error at its top
and what was typed still there. Use cases block: handlers run in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from phems.errors import InputError, PhemsError
from phems.gateway.problems import status_of
from phems.gateway.replies import error_reply, wants_page
from phems.gateway.settings import GatewaySettings
from phems.gateway.site.ask import Ask, asked

if TYPE_CHECKING:
    from phems.gateway.api.use_cases import UseCases

FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
ACT_FIELD = "act"

Show = Callable[[Ask], Response]
Act = Callable[[Ask], str | Response]
"""Does what a form asks for; gives the address to go on to, or a page to be shown here and now."""


@dataclass(frozen=True)
class Page:
    """A page by its path (Starlette's form). `acts` are its forms, by the value of their `act` field."""

    path: str
    show: Show
    acts: Mapping[str, Act] = field(default_factory=dict)

    def route(self, cases: UseCases, settings: GatewaySettings) -> Route:
        """The page as a route of the gateway."""

        async def endpoint(request: Request) -> Response:
            if request.method == "POST" and not self.acts:
                raise HTTPException(405, detail="This page has no forms.", headers={"Allow": "GET"})
            form = await _form(request) if request.method == "POST" else None
            ask = asked(cases, settings, request, form)
            try:
                return await run_in_threadpool(self._answer, ask)
            except PhemsError as error:
                return _told(ask, error)

        return Route(self.path, endpoint, methods=["GET", "POST"])

    def _answer(self, ask: Ask) -> Response:
        if ask.request.method != "POST":
            return self.show(ask)
        ask.check_csrf()
        act = self.acts.get(ask.text(ACT_FIELD))
        if act is None:
            raise InputError("This page has no such form.", remedy="Open the page again.")
        try:
            done = act(ask)
            return RedirectResponse(done, status_code=303) if isinstance(done, str) else done
        except PhemsError as error:
            return self.show(replace(ask, error=error))


def _told(ask: Ask, error: PhemsError) -> Response:
    """The error as a page in the frame, so that whoever met it knows where they are and can go on."""
    if not wants_page(ask.request):
        return error_reply(ask.request, error)
    calm = replace(ask, error=None)
    return calm.answer("failed.html", {"title": error.what, "failed": error}, status=status_of(error))


async def _form(request: Request) -> FormData:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORMS:
        raise InputError("A page's form is sent as a form.", remedy="For programs there is /api.")
    return await request.form(max_files=0, max_fields=2000)
