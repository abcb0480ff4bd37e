"""Outputs of runs, for who asks for a release or checks one. Their bytes are read in a release request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from phems.domain.output_checks import Verdict, worst
from phems.domain.outputs import Output
from phems.gateway.api.asking import Cases, Person, Project, row
from phems.gateway.api.bodies import Body
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page
from phems.services.release_asks import Choice

router = APIRouter(prefix="/projects/{project}/outputs", tags=["release"])


class Rehearsal(Body):
    """Which outputs to check."""

    run: str | None = Field(default=None, max_length=100, description="All of a run.")
    files: list[Annotated[str, Field(max_length=1000)]] = Field(
        default=[], max_length=500, description="Or these: by name of the run's, else by full path."
    )


class CheckFinding(BaseModel):
    """What one check found on one file, or, with path null, on all of them together."""

    check: str
    version: str
    path: str | None
    verdict: Verdict
    summary: str
    evidence: dict[str, Any]


class CheckAnswer(BaseModel):
    """What the output checks found. A check is not a decision: people review the files."""

    verdict: Verdict = Field(description="The gravest of all.")
    findings: list[CheckFinding]
    tools: dict[str, str] = Field(description="What they were made with, and its version.")


Run = Annotated[str | None, Query(max_length=100, description="Those of one run alone.")]


@router.get("", **row("output.list", "release.list"))
def list_(
    cases: Cases,
    person: Person,
    project: Project,
    run: Run = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Output]:
    """List the outputs of a project, the last registered first."""
    found = cases.outputs.list(person, project, run)
    return page(found, lambda output: (output.at.isoformat(), output.path), cursor, limit)


@router.post("/check", **row("release.check", "release.request"))
def check(cases: Cases, person: Person, project: Project, body: Rehearsal) -> CheckAnswer:
    """Run the output checks, for yourself: nothing is asked for, nothing kept."""
    report = cases.output_checks.rehearse(person, project, Choice(body.run, tuple(body.files)))
    return CheckAnswer.model_validate({"verdict": worst(report.findings), **report.as_json()})
