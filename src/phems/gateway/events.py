"""GET /events: server-sent events by which open pages learn that something of theirs changed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phems.gateway.callers import Credential, current_caller
from phems.gateway.door import EVENTS_PATH, for_people
from phems.gateway.live_changes import LiveChanges
from phems.gateway.replies import error_reply

RETRY_MILLISECONDS = 5000
HEARTBEAT_SECONDS = 15


def events_route(live: LiveChanges) -> Route:
    """The stream. A person with too many open pages gets 204, which tells a browser not to ask again."""

    async def events(request: Request) -> Response:
        # Late: it is not needed before a page is open.
        from sse_starlette import EventSourceResponse

        caller = current_caller.get()
        assert caller is not None, "the door lets nobody through without a caller"  # noqa: S101
        if caller.credential is Credential.COORDINATOR:
            return error_reply(request, for_people())
        if not live.takes(caller.actor.name):
            return Response(status_code=204)
        return EventSourceResponse(_messages(live, caller.actor.name), ping=HEARTBEAT_SECONDS, sep="\n")

    return Route(EVENTS_PATH, events, methods=["GET"])


async def _messages(live: LiveChanges, person: str) -> AsyncIterator[dict[str, object]]:
    with live.listening(person) as listener:
        yield {"comment": "listening", "retry": RETRY_MILLISECONDS}
        async for topic in listener.topics():
            yield {"event": "changed", "data": topic}
