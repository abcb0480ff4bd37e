"""What has left the node: packages for people of the project, and the outbox for federation coordinators.

The outbox is all that a coordinator's token opens. Nothing that project code or an author wrote is in its
answers, nor who did what: a request's name, its project, state, moments and the digest of its manifest. What
files say, and are called, is in the package alone, which was voted on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from phems.domain.coordinators import name_of_coordinator
from phems.gateway.api.asking import COORDINATOR, Cases, Coordinator, Person, row
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit
from phems.gateway.api.packages import package_reply
from phems.gateway.api.release_requests import Id

router = APIRouter(tags=["release"])


class OutboxLine(BaseModel):
    """A released package, or word that it was revoked."""

    cursor: str = Field(description="The place of this line: what comes after it is asked for with it.")
    request: str
    project: str
    state: Literal["RELEASED", "REVOKED"] = Field(
        description="REVOKED: what was fetched before must not be used any more."
    )
    at: datetime
    released_at: datetime | None
    manifest_digest: str | None = Field(description="SHA-256 of the package's manifest.json.")


class OutboxAnswer(BaseModel):
    """A part of the outbox, oldest first."""

    items: list[OutboxLine]
    next_cursor: str = Field(description="For the next page; keep it, to ask later for what is new.")
    more: bool = Field(description="Whether there is another page already.")


@router.get("/releases", **row("coordinator.releases", COORDINATOR))
def outbox(
    cases: Cases, coordinator: Coordinator, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> OutboxAnswer:
    """The packages released to you, oldest first, and those of them that were revoked since."""
    projects = cases.coordinators.projects(name_of_coordinator(coordinator))
    found = cases.outbox.released(cursor, limit, projects=projects)
    return OutboxAnswer(
        items=[OutboxLine.model_validate(item, from_attributes=True) for item in found.items],
        next_cursor=found.next_cursor,
        more=found.more,
    )


@router.get(
    "/releases/{request}/package",
    **row("coordinator.download", COORDINATOR),
    response_class=StreamingResponse,
)
def fetch(cases: Cases, coordinator: Coordinator, request: Id) -> StreamingResponse:
    """A released package as a tar, the same bytes each time. Who fetched it is in the audit log."""
    found = cases.deliveries.deliver(coordinator, request)
    return package_reply(found.request_id, found.copy_to, at=found.released_at)


@router.get(
    "/release-requests/{request}/package",
    **row("release.download", "release.download"),
    response_class=StreamingResponse,
)
def download(cases: Cases, person: Person, request: Id) -> StreamingResponse:
    """A released package as a tar, verified against its manifest."""
    released_at = cases.releases.show(person, request).request.released_at
    return package_reply(
        request, lambda folder: cases.releases.download(person, request, folder), at=released_at
    )
