"""The audit log: its entries, the signed checkpoint, proofs, the whole as a file, and its verification."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import StreamingResponse

from phems.domain.actors import Actor
from phems.domain.audit import Entry
from phems.domain.audit_verification import Finding
from phems.errors import InputError
from phems.gateway.api.answers import attachment
from phems.gateway.api.asking import Cases, permitted, row
from phems.gateway.api.bodies import Nothing
from phems.gateway.api.cursors import DEFAULT_LIMIT, MOST, Page, decoded, encoded
from phems.services.audit_anchors import AnchorState
from phems.services.ports.audit import EntryFilter

router = APIRouter(prefix="/audit", tags=["audit"])

Reader = Annotated[Actor, Depends(permitted("audit.read"))]
Count = Annotated[int, Query(ge=1, le=10_000, description="How many.")]
OfProject = Annotated[str | None, Query(max_length=63, description="Entries of one project alone.")]
Number = Annotated[int, Query(ge=1, le=2**53, description="The entry's number.")]
EntryNumber = Annotated[int, Path(ge=1, le=2**53, description="The entry's number.")]
Size = Annotated[int, Query(ge=0, le=2**53, description="How many entries the log had then.")]


class AuditEntry(BaseModel):
    """A line of the audit log. Its hash covers every other field that is there."""

    seq: int
    at: str
    actor: str
    actor_kind: str
    action: str
    subject: str
    project: str | None
    result: str
    capsule: str | None = None
    before: str | None = None
    after: str | None = None
    details: dict[str, Any]
    prev_hash: str
    hash: str


class Wanted(BaseModel):
    """Which entries are looked for, and which page of them."""

    actor: str | None = Field(default=None, max_length=127, description="Who acted.")
    action: str | None = Field(
        default=None, max_length=63, description="A whole action, as `code.approve`, or its noun."
    )
    subject: str | None = Field(default=None, max_length=200, description="How the subject begins.")
    project: str | None = Field(default=None, max_length=63)
    result: Literal["done", "refused", "failed"] | None = None
    since: AwareDatetime | None = Field(default=None, description="From this moment on.")
    before: AwareDatetime | None = Field(default=None, description="Before this moment.")
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MOST)

    def as_filter(self) -> EntryFilter:
        """The filter of the use case."""
        return EntryFilter(**self.model_dump(exclude={"cursor", "limit"}))


class AuditVerification(BaseModel):
    """What a verification of the node's own log found."""

    ok: bool
    entries: int = Field(description="How many were read before the end, or before the finding.")
    public_key: str
    checkpoint: str | None = Field(description="The last signed checkpoint; null when there is none.")
    finding: Finding | None = Field(description="The first thing that is wrong.")
    anchors: list[str] = Field(description="Outside anchors whose checkpoints were compared.")
    silent_anchors: list[str] = Field(description="Outside anchors that could not be asked.")


class ReplayAnswer(BaseModel):
    """A decision on record and the same decision taken again."""

    seq: int
    action: str
    subject: str
    project: str
    policy_version: str
    recorded: str
    replayed: str
    is_same: bool = Field(description="False: what it rests on was changed, or the software's rules were.")
    inputs: dict[str, Any]


class AuditText(BaseModel):
    """A signed note or a proof, in the form that transparency-log tools read."""

    text: str


@router.get("/entries", **row("audit.tail", "audit.read"))
def tail(cases: Cases, reader: Reader, count: Count = 50, project: OfProject = None) -> list[AuditEntry]:
    """The last entries, the newest last. That they were read is an entry too."""
    return [_row(entry) for entry in cases.audit.tail(reader, count, project=project)]


@router.get("/search", **row("audit.search", "audit.read"))
def search(
    cases: Cases,
    reader: Reader,
    wanted: Annotated[Wanted, Query()],
) -> Page[AuditEntry]:
    """Search the log, newest first: entries that fit all that is given. The search is an entry too."""
    below = None if wanted.cursor is None else int(decoded(wanted.cursor, types=[int])[0])
    found = cases.audit.search(reader, wanted.as_filter(), count=wanted.limit + 1, below=below)
    shown = found[: wanted.limit]
    more = len(found) > wanted.limit
    return Page(
        items=[_row(entry) for entry in shown], next_cursor=encoded([shown[-1].seq]) if more else None
    )


@router.get("/checkpoint", **row("audit.checkpoint", "audit.read"))
def checkpoint(cases: Cases, reader: Reader) -> AuditText:
    """The last signed checkpoint (c2sp.org/tlog-checkpoint)."""
    return AuditText(text=str(cases.audit.checkpoint(reader)))


@router.get("/proof", **row("audit.prove", "audit.read"))
def prove(cases: Cases, reader: Reader, entry: Number) -> AuditText:
    """The proof that an entry is in the log as it was signed last (c2sp.org/tlog-proof)."""
    return AuditText(text=str(cases.audit.prove(reader, entry)))


@router.get("/consistency", **row("audit.consistency", "audit.read"))
def consistency(cases: Cases, reader: Reader, size: Size) -> AuditText:
    """The proof that the log begins with what it was at an earlier size."""
    return AuditText(text=str(cases.audit.prove_extension(reader, size)))


@router.get("/entries/{entry}/replay", **row("audit.replay", "audit.read"))
def replay(cases: Cases, reader: Reader, entry: EntryNumber) -> ReplayAnswer:
    """Take a past decision again, from what was kept of it, under the policy version that it names."""
    return ReplayAnswer.model_validate(cases.replays.replay(reader, entry).as_json())


@router.get("/anchors", **row("audit.anchors", "audit.read"))
def anchors(cases: Cases, _reader: Reader) -> list[AnchorState]:
    """List the outside anchors, and how far behind each is."""
    return [] if cases.anchoring is None else cases.anchoring.states()


@router.post("/anchor", **row("audit.anchor", "audit.read"))
def anchor(cases: Cases, _reader: Reader, _body: Nothing) -> list[AnchorState]:
    """Hand the last checkpoint to every outside anchor now. A running node does so by itself."""
    if cases.anchoring is None:
        raise InputError(
            "This node has no outside anchors.",
            why="audit.anchors in node.yaml is empty.",
            remedy="Write one there.",
        )
    return cases.anchoring.submit()


@router.get("/verification", **row("audit.verify", "audit.read"))
def verify(cases: Cases, reader: Reader) -> AuditVerification:
    """Hold the node's own log against every checkpoint there is. To trust the node less, export the log."""
    found = cases.audit.verify(reader)
    return AuditVerification(
        ok=found.ok,
        entries=found.entries,
        public_key=found.public_key,
        checkpoint=None if found.checkpoint is None else str(found.checkpoint),
        finding=found.finding,
        anchors=list(found.anchors),
        silent_anchors=list(found.silent_anchors),
    )


@router.get("/export", **row("audit.export", "audit.read"), response_class=StreamingResponse)
def export(cases: Cases, reader: Reader) -> StreamingResponse:
    """The whole log as JSON Lines, its signed checkpoint last; to verify it: `phems audit verify FILE`."""
    return attachment(cases.audit.export(reader), name="audit.jsonl", media_type="application/jsonl")


def _row(entry: Entry) -> AuditEntry:
    return AuditEntry.model_validate({**entry.content(), "hash": entry.hash})
