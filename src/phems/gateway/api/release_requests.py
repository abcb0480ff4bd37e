"""Release requests: asking that outputs leave the node, reading requests and frozen files, taking back."""

from __future__ import annotations

import mimetypes
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from phems.domain.release_history import HistoryEvent
from phems.domain.release_views import ReleaseView
from phems.gateway.api.answers import attachment
from phems.gateway.api.asking import Cases, Person, Project, row
from phems.gateway.api.bodies import Body, Nothing, OptionalReason, Reason
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page
from phems.gateway.api.etags import IfMatch, check_unchanged
from phems.gateway.api.use_cases import UseCases
from phems.gateway.entity_tags import etag
from phems.services.release_asks import AskedGroup, asked_groups
from phems.services.release_summaries import ReleaseLine, ReleaseSummary, line_of, summary_of

router = APIRouter(tags=["release"])

Id = Annotated[str, Path(description="The release request, such as rr-abcdefgh.", max_length=40)]
Turn = Annotated[int | None, Query(ge=1, le=1_000_000, description="An earlier turn of the request.")]
FilePath = Annotated[str, Query(description="The file, by its path in the request.", max_length=1000)]

Name = Annotated[str, Field(max_length=1000)]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class Group(Body):
    """A file group to ask for."""

    name: str = Field(default="default", pattern="^[a-z0-9][a-z0-9._-]{0,62}$")
    context: Text = Field(description="What the files are, for the checkers.")
    controls: Text = Field(description="How disclosure of single patients was avoided.")
    run: Name | None = Field(default=None, description="The run, when it is another than the request's.")
    model: Name | None = Field(
        default=None, description="A registered model's version, NAME/VERSION, in place of files."
    )
    files: list[Name] = Field(
        default=[], max_length=500, description="Outputs by name; empty: all that no group names."
    )
    supporting: list[Name] = Field(
        default=[], max_length=500, description="Outputs that checkers see, and that are never released."
    )
    code: list[Name] = Field(
        default=[], max_length=500, description="Files of the run's code that checkers see."
    )


class Ask(Body):
    """What to ask for."""

    run: Name | None = Field(default=None, description="The run whose outputs are asked for.")
    groups: list[Group] = Field(min_length=1, max_length=50)


class Remark(Body):
    """A comment."""

    text: Text
    private: bool = Field(default=False, description="For the checkers alone.")
    group: str | None = Field(default=None, max_length=63, description="The file group that it is about.")


class Withdrawal(Body):
    """A withdrawal."""

    reason: OptionalReason = ""


class FileWithdrawal(Body):
    """A file to take out."""

    path: Name = Field(description="The file, by its path in the request.")


class ReleaseRevocation(Body):
    """A revocation."""

    reason: Reason


@router.get("/projects/{project}/release-requests", **row("release.list", "release.list"))
def list_(
    cases: Cases, person: Person, project: Project, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[ReleaseLine]:
    """List the release requests of a project, newest first."""
    rows = [line_of(view) for view in cases.releases.list(person, project)]
    return page(rows, lambda found: (found.requested_at.isoformat(), found.id), cursor, limit)


@router.post(
    "/projects/{project}/release-requests", **row("release.request", "release.request", status_code=201)
)
def request(cases: Cases, person: Person, project: Project, body: Ask, response: Response) -> ReleaseSummary:
    """Ask that outputs of runs leave the node: their bytes are frozen, checked and submitted."""
    return shown(cases.releases.request_groups(person, project, _groups(body)), response)


@router.get("/release-requests/{request}", **row("release.show", "release.list"))
def show(cases: Cases, person: Person, request: Id, response: Response, turn: Turn = None) -> ReleaseSummary:
    """Show a release request, its files and findings, and the votes and comments that you may see."""
    return shown(cases.releases.show(person, request, turn=turn), response)


@router.get("/release-requests/{request}/history", **row("release.history", "release.list"))
def history(cases: Cases, person: Person, request: Id) -> list[HistoryEvent]:
    """All that was done to a request and that you may see, oldest first."""
    return list(cases.releases.history(person, request))


@router.get(
    "/release-requests/{request}/file",
    **row("release.file", "release.list"),
    response_class=StreamingResponse,
)
def file(cases: Cases, person: Person, request: Id, path: FilePath, turn: Turn = None) -> StreamingResponse:
    """The frozen bytes of a file, for review inside the node. Who looked at what is in the audit log."""
    found = cases.releases.show(person, request, turn=turn).request.file(path)
    chunks = cases.releases.read_file(person, request, path, turn=turn)
    kind = mimetypes.guess_type(found.path, strict=True)[0] or "application/octet-stream"
    return attachment(chunks, name=found.path.rpartition("/")[2], media_type=kind, size=found.size)


@router.post("/release-requests/{request}/resubmit", **row("release.resubmit", "release.request"))
def resubmit(
    cases: Cases, person: Person, request: Id, body: Ask, response: Response, if_match: IfMatch = None
) -> ReleaseSummary:
    """Ask again with a returned request, in a new turn: new files, votes afresh, the history kept."""
    unchanged(cases, person, request, if_match)
    return shown(cases.releases.resubmit_groups(person, request, _groups(body)), response)


@router.post("/release-requests/{request}/submit", **row("release.submit", "release.request"))
def submit(cases: Cases, person: Person, request: Id, _body: Nothing, response: Response) -> ReleaseSummary:
    """Submit a request that stayed PENDING because its files could not be checked."""
    return shown(cases.releases.submit(person, request), response)


@router.post("/release-requests/{request}/comment", **row("release.comment", "release.comment"))
def comment(cases: Cases, person: Person, request: Id, body: Remark, response: Response) -> ReleaseSummary:
    """Say something about a release request or one of its file groups."""
    view = cases.releases.comment(person, request, body.text, private=body.private, group=body.group)
    return shown(view, response)


@router.post("/release-requests/{request}/withdraw", **row("release.withdraw", "release.withdraw"))
def withdraw(
    cases: Cases, person: Person, request: Id, body: Withdrawal, response: Response, if_match: IfMatch = None
) -> ReleaseSummary:
    """Take your own request back, until it is released."""
    unchanged(cases, person, request, if_match)
    return shown(cases.releases.withdraw(person, request, reason=body.reason), response)


@router.post("/release-requests/{request}/withdraw-file", **row("release.withdraw-file", "release.withdraw"))
def withdraw_file(
    cases: Cases, person: Person, request: Id, body: FileWithdrawal, response: Response
) -> ReleaseSummary:
    """Take one file out of your own request; votes on the others stand."""
    return shown(cases.releases.withdraw_file(person, request, body.path), response)


@router.post("/release-requests/{request}/revoke", **row("release.revoke", "release.revoke"))
def revoke(
    cases: Cases,
    person: Person,
    request: Id,
    body: ReleaseRevocation,
    response: Response,
    if_match: IfMatch = None,
) -> ReleaseSummary:
    """Take an approval or a release back; a notice joins the package, and coordinators are told."""
    unchanged(cases, person, request, if_match)
    return shown(cases.releases.revoke(person, request, reason=body.reason), response)


def shown(view: ReleaseView, response: Response) -> ReleaseSummary:
    """A view as it is answered, with its entity tag."""
    summary = summary_of(view)
    response.headers["ETag"] = etag(summary)
    return summary


def unchanged(cases: UseCases, person: Person, request: str, if_match: str | None) -> None:
    """Raise `StaleError` when the request is not what `if_match` was given for."""
    if if_match is not None:
        present = summary_of(cases.releases.show(person, request))
        check_unchanged(if_match, present, name=f"The release request {request}")


def _groups(body: Ask) -> tuple[AskedGroup, ...]:
    return asked_groups(body.model_dump(exclude_none=True))
