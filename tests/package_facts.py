"""A release of two runs, three files and two checkers, as plain facts: what packages are made of in tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from phems.domain.approvals import Signature
from phems.domain.canonical import sha256
from phems.domain.output_checks import CheckReport, Finding, Verdict
from phems.domain.release_facts import NodeIdentity, ReleaseFacts, RunProvenance, RunTimes
from phems.domain.release_states import ReleaseState
from phems.domain.releases import (
    CastVote,
    FileGroup,
    FrozenFile,
    ReleasePolicy,
    ReleaseRequest,
    RunOrigin,
)
from phems.domain.votes import Vote

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RUN, OTHER_RUN = "3f0c3b1e-6a62-4d0c-9f9a-2f1d4f6d7a10", "run-2"
KM, MODEL, KEPT = f"outputs/{RUN}/km table.csv", f"outputs/{OTHER_RUN}/model.json", f"outputs/{RUN}/kept.csv"
CONTENTS = {KM: b"time,at_risk\n0,500\n", MODEL: b"{}\n", KEPT: b"patient\n1\n"}


def file(path: str, run_id: str, media_type: str, **changes: Any) -> FrozenFile:
    content = CONTENTS[path]
    return FrozenFile(path, sha256(content), len(content), media_type, run_id, "step", **changes)


def vote(path: str, checker: str, said: Vote = Vote.APPROVED, **changes: Any) -> CastVote:
    return CastVote(path, checker, said, NOW - timedelta(hours=1), 1, **changes)


REQUEST = ReleaseRequest(
    id="rr-abcdefgh",
    project="heart-attack",
    requester="ana",
    authors=frozenset({"ana"}),
    policy=ReleasePolicy("strict", 2, ("csv", "json"), 1024),
    requested_at=NOW - timedelta(hours=2),
    groups=(FileGroup("default", "Survival <b>curves</b>", "Rounded to tens"),),
    files=(
        file(KM, RUN, "text/csv"),
        file(KEPT, RUN, "text/csv"),
        file(MODEL, OTHER_RUN, "application/json"),
    ),
    runs=(
        RunOrigin(RUN, "ana", "c" * 40, "d" * 64, "e" * 64),
        RunOrigin(OTHER_RUN, "sensor:secret_name", None, "d" * 64, None),
    ),
    state=ReleaseState.APPROVED,
    votes=(
        vote(KM, "chris", justification="The check misreads the header", policy_version="3:aaaaaaaaaaaa"),
        vote(KM, "cara", signature=Signature("0123456789abcdef", "c2ln")),
        vote(MODEL, "chris"),
        vote(MODEL, "cara"),
        vote(KEPT, "chris", Vote.CHANGES_REQUESTED),
        vote(KEPT, "cara", Vote.CHANGES_REQUESTED),
    ),
    decided_by="cara",
    decided_at=NOW - timedelta(minutes=30),
)

REPORT = CheckReport(
    (
        Finding("file-type", "1.0", KM, Verdict.PASS, "text/csv, as its name says", {"type": "text/csv"}),
        Finding("small-cells", "1.0", KM, Verdict.FAIL, "a cell is 3", {"cells": [3]}),
        Finding("file-type", "1.0", KEPT, Verdict.PASS, "text/csv", {}),
        Finding("differencing", "1.0", MODEL, Verdict.PASS, "as rr-zzzzzzzz", {"compared": ["rr-zzzzzzzz"]}),
        Finding("differencing", "1.0", None, Verdict.PASS, "nothing to compare with", {"tables": 0}),
        Finding("links", "1.0", None, Verdict.PASS, "two tables", {"linked": {"kept.csv": 1}}),
    ),
    {"phems-node": "0.1.0"},
)

FACTS = ReleaseFacts(
    request=REQUEST,
    node=NodeIdentity("node-a", "Hospital A", "0.1.0"),
    released_at=NOW,
    policy_version="3:aaaaaaaaaaaa",
    report=REPORT,
    runs=(
        RunProvenance(
            REQUEST.runs[0],
            admitted_at=NOW - timedelta(hours=4),
            times=RunTimes("SUCCESS", NOW - timedelta(hours=4), NOW - timedelta(hours=3)),
            data={"whas500": "sha256:" + "f" * 64},
        ),
        RunProvenance(REQUEST.runs[1], admitted_at=NOW - timedelta(hours=5)),
    ),
)

BARE = replace(FACTS, report=None, runs=())
