"""The review in full, on a real database and real folders: groups, kinds, checks, turns, blindness, keys."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.integration.governance.governed_site import (
    ANA,
    BEN,
    CARA,
    CHRIS,
    CLEO,
    IDA,
    PROJECT,
    CodeRepo,
    Site,
)

from phems.domain.actors import Actor
from phems.domain.permissions import Role
from phems.domain.release_states import ReleaseState
from phems.domain.release_views import ReleaseView
from phems.domain.releases import FileKind
from phems.domain.review import Ballot
from phems.domain.sealed_votes import opens
from phems.domain.votes import Decision, ReviewPhase, Vote
from phems.errors import InputError, NotFoundError, PhemsError, RefusedError, UnavailableError
from phems.services.release_asks import AskedGroup, Case, Choice
from phems.services.release_summaries import summary_of

CASE = Case("Survival by sex", "Rounded to tens")
FILES = {"km.csv": b"time,at_risk\n0,500\n", "counts.csv": b"sex,n\nf,250\n", "log.txt": b"done\n"}
OPERATOR = Actor("olga")

RunOf = Callable[..., str]


@pytest.fixture
def requested(site: Site, run_of: RunOf) -> ReleaseView:
    """Ana's request for two files of one run."""
    return site.releases.request(ANA, PROJECT, Choice(run_of(FILES), ("km.csv", "counts.csv")), CASE)


def path(name: str, run: str = "run-1") -> str:
    return f"outputs/{run}/{name}"


# Groups and kinds


def test_supporting_and_code_files_are_shown_and_never_released(
    site: Site, run_of: RunOf, repo: CodeRepo
) -> None:
    """Otherwise checkers cannot see how a result came about, or what helps them to see leaves the node."""
    revision = site.code.submit(ANA, PROJECT)
    site.code.approve(IDA, PROJECT, revision.commit)
    site.launched("run-1", "ana", revision.digest)
    run_of(FILES)
    code = "src/heart_attack/definitions.py"
    groups = (
        AskedGroup(CASE, Choice("run-1", ("km.csv",)), "survival", supporting=("counts.csv",), code=(code,)),
        AskedGroup(Case("How it went", "No numbers"), Choice("run-1"), "log"),
    )
    view = site.releases.request_groups(ANA, PROJECT, groups)
    request = view.request
    assert {file.path: (file.group, file.kind.value) for file in request.files} == {
        path("km.csv"): ("survival", "output"),
        path("counts.csv"): ("survival", "supporting"),
        f"code/{revision.digest}/{code}": ("survival", "code"),
        path("log.txt"): ("log", "output"),
    }
    shown = summary_of(site.releases.show(CHRIS, request.id))
    assert [(group.name, group.context, sorted(group.files)) for group in shown.groups] == [
        ("survival", "Survival by sex", sorted(["counts.csv", "km.csv", code])),
        ("log", "How it went", ["log.txt"]),
    ]
    read = site.releases.read_file(CHRIS, request.id, f"code/{revision.digest}/{code}")
    assert b"".join(read) == b"defs = 1\n"
    with pytest.raises(RefusedError, match="takes no votes"):
        site.releases.vote(CHRIS, request.id, {path("counts.csv"): Vote.APPROVED})
    for checker in (CHRIS, CARA):
        site.releases.vote(checker, request.id, Vote.APPROVED)
    site.publisher.publish_approved()
    package = site.zone.path(request.id)
    left = {str(f.relative_to(package / "files")) for f in (package / "files").rglob("*") if f.is_file()}
    assert left == {"km.csv", "log.txt"}
    for name in ("counts.csv", "definitions.py"):
        assert all(name.encode() not in place.read_bytes() for place in package.rglob("*") if place.is_file())


@pytest.mark.parametrize(
    ("groups", "error", "told"),
    [
        ([AskedGroup(CASE, Choice("run-1", ("km.csv",)), supporting=("km.csv",))], InputError, "twice"),
        (
            [
                AskedGroup(CASE, Choice("run-1", ("km.csv",)), "a"),
                AskedGroup(CASE, Choice(None, ("outputs/run-1/km.csv",)), "b"),
            ],
            InputError,
            "twice",
        ),
        (
            [AskedGroup(CASE, Choice("run-1"), "a"), AskedGroup(CASE, Choice("run-1"), "b")],
            InputError,
            "twice",
        ),
        (
            [AskedGroup(CASE, Choice("run-1"), supporting=("km.csv", "counts.csv", "log.txt"))],
            InputError,
            "names no outputs to release",
        ),
        ([AskedGroup(CASE, Choice("run-1"), code=("src/a.py",))], NotFoundError, "no code revision"),
        ([AskedGroup(CASE, Choice("run-1"), supporting=("other.csv",))], NotFoundError, "no output"),
    ],
)
def test_each_file_has_one_place_in_a_request(
    site: Site, run_of: RunOf, groups: list[AskedGroup], error: type[PhemsError], told: str
) -> None:
    """Otherwise it is unclear what is released, and under which case."""
    run_of(FILES)
    with pytest.raises(error) as refused:
        site.releases.request_groups(ANA, PROJECT, groups)
    assert told in str(refused.value)
    assert site.releases.list(ANA, PROJECT) == []


def test_code_that_is_not_in_the_revision_is_not_shown(site: Site, run_of: RunOf) -> None:
    """Otherwise a path climbs out of the Code Mount into another project's, or the node's, files."""
    revision = site.code.submit(ANA, PROJECT)
    site.code.approve(IDA, PROJECT, revision.commit)
    site.launched("run-1", "ana", revision.digest)
    run_of(FILES)
    for name in ("src/none.py", "../../../keys/audit", "/etc/passwd", "src"):
        asked = [AskedGroup(CASE, Choice("run-1"), code=(name,))]
        with pytest.raises(NotFoundError, match="has no file"):
            site.releases.request_groups(ANA, PROJECT, asked)
    assert not any(place.is_file() for place in (site.folder / "releases").rglob("*"))


# Output checks


def test_a_request_is_pending_while_its_files_are_checked(site: Site, run_of: RunOf) -> None:
    """Otherwise checkers vote on files that nothing has looked at, or nobody sees that something goes on."""
    seen: list[tuple[str, int]] = []

    def look() -> None:
        [view] = site.releases.list(CHRIS, PROJECT)
        seen.append((view.request.state.value, len(view.request.files)))
        with pytest.raises(RefusedError, match="takes no votes now"):
            site.releases.vote(CHRIS, view.request.id, Vote.APPROVED)

    site.check_runner.meanwhile = look
    told: list[str] = []
    view = site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE, told=told.append)
    assert seen == [("PENDING", 3)]
    assert told == ["Freezing the files", f"{view.request.id} is PENDING: checking 3 files"]
    assert view.request.state is ReleaseState.SUBMITTED
    assert view.report is not None
    assert len(view.report.findings) == 3
    [submitted] = site.entries("release.submit")
    assert submitted.details["checks"] == {"pass": 3}
    assert submitted.details["policy_version"]


def test_a_request_whose_checks_cannot_be_run_waits_and_is_submitted_later(site: Site, run_of: RunOf) -> None:
    """Otherwise a missing sandbox lets files by unchecked, or the author has to ask anew."""
    site.check_runner.broken = UnavailableError("No sandbox.", remedy="Install bubblewrap.")
    with pytest.raises(UnavailableError, match="stays PENDING") as refused:
        site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE)
    [view] = site.releases.list(ANA, PROJECT)
    name = view.request.id
    assert (view.request.state, view.report) == (ReleaseState.PENDING, None)
    assert f"phems release submit {name}" in refused.value.remedy
    site.check_runner.broken = None
    with pytest.raises(RefusedError, match="only its authors"):
        site.releases.submit(BEN, name)
    assert site.releases.submit(ANA, name).request.state is ReleaseState.SUBMITTED
    with pytest.raises(RefusedError, match="cannot take 'submit' now"):
        site.releases.submit(ANA, name)


def test_a_request_withdrawn_while_it_is_checked_stays_withdrawn(site: Site, run_of: RunOf) -> None:
    """Otherwise the end of the checks brings a withdrawn request back."""

    def withdraw() -> None:
        [view] = site.releases.list(ANA, PROJECT)
        site.releases.withdraw(ANA, view.request.id)

    site.check_runner.meanwhile = withdraw
    with pytest.raises(RefusedError, match="It is WITHDRAWN"):
        site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE)
    [view] = site.releases.list(ANA, PROJECT)
    assert (view.request.state, view.report) == (ReleaseState.WITHDRAWN, None)


def test_what_failed_a_check_is_approved_with_a_written_justification_alone(
    site: Site, run_of: RunOf
) -> None:
    """Otherwise a machine's warning is waved through, or its words are lost or land in the audit log."""
    site.check_runner.failing = {"km.csv"}
    name = site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE).request.id
    for viewer in (ANA, CHRIS):
        report = site.releases.show(viewer, name).report
        assert report is not None
        assert report.failed(path("km.csv"))
    for viewer in (BEN, IDA):
        assert site.releases.show(viewer, name).report is None
    with pytest.raises(InputError, match="A justification is missing"):
        site.releases.vote(CHRIS, name, Vote.APPROVED)
    site.releases.vote(CHRIS, name, {path("log.txt"): Vote.APPROVED})
    why = "patient 7 is a public figure"
    ballots = [Ballot(path("km.csv"), Vote.APPROVED, why), Ballot(path("counts.csv"), Vote.APPROVED)]
    site.releases.vote(CHRIS, name, ballots)
    view = site.releases.vote(CARA, name, Vote.APPROVED, justification=why)
    assert view.request.state is ReleaseState.APPROVED
    [file] = [file for file in summary_of(view).files if file.name == "km.csv"]
    assert file.justifications == {"cara": why, "chris": why}
    assert file.checks == "fail"
    assert "public figure" not in str(site.entries())
    votes = [vote for entry in site.entries("release.vote") for vote in entry.details["votes"]]
    assert sum(vote.get("justified", False) for vote in votes) == 3


@pytest.mark.parametrize("request_fails", [False, True])
def test_a_policy_can_block_what_failed_a_check(site: Site, run_of: RunOf, request_fails: bool) -> None:
    """Otherwise `on_fail: block` is a suggestion; a failure of the whole request is one of each file."""
    site.set_rules(checks={**site.rules[PROJECT].checks, "on_fail": "block"})
    site.check_runner.failing = set() if request_fails else {"km.csv"}
    site.check_runner.request_fails = request_fails
    name = site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE).request.id
    with pytest.raises(RefusedError, match="blocks such files"):
        site.releases.vote(CHRIS, name, Vote.APPROVED, justification="please")
    [refusal] = [entry for entry in site.entries("release.vote") if entry.result == "refused"]
    assert "km.csv" not in str(refusal.details)


# Blindness


def everything_seen(site: Site, who: Actor, name: str) -> str:
    """All that a person gets out of the node about a request, as one text."""
    views = [site.releases.show(who, name), *site.releases.list(who, PROJECT)]
    told = [repr(summary_of(view)) + repr(view) for view in views]
    told += [repr(event) for event in site.releases.history(who, name)]
    for act in (
        lambda: site.releases.approve(who, name),
        lambda: site.releases.reject(who, name, reason="x"),
        lambda: site.releases.revoke(who, name, reason="x"),
        lambda: site.releases.submit(who, name),
        lambda: site.releases.resubmit(who, name, Choice("run-1"), CASE),
        lambda: site.releases.download(who, name, site.folder),
        lambda: site.releases.vote(who, name, {"outputs/run-1/none": Vote.APPROVED}),
        lambda: site.releases.show(who, name, turn=9),
    ):
        with pytest.raises(PhemsError) as refused:
            act()
        told.append(str(refused.value))
    return "\n".join(told)


@pytest.mark.parametrize("who", [CARA, ANA, IDA], ids=lambda who: who.name)
def test_nothing_in_the_node_tells_that_another_checker_has_voted(
    site: Site, requested: ReleaseView, who: Actor
) -> None:
    """Otherwise a count, a state, a list, an error or a `decided_by` ends the blind phase early."""
    name = requested.request.id
    before = everything_seen(site, who, name)
    site.releases.vote(CHRIS, name, Vote.CHANGES_REQUESTED)
    site.releases.vote(CHRIS, name, {path("km.csv"): Vote.APPROVED})
    site.releases.comment(CHRIS, name, "One patient in row 3", private=True)
    site.releases.comment(CHRIS, name, "Please round", group="default")
    assert everything_seen(site, who, name) == before


def test_the_audit_log_has_blind_votes_sealed_and_opens_them_later(
    site: Site, requested: ReleaseView
) -> None:
    """Otherwise a checker who is an Auditor too reads the other's vote, or votes are never on record."""
    name = requested.request.id
    site.releases.vote(CHRIS, name, Vote.CHANGES_REQUESTED)
    site.releases.vote(CHRIS, name, {path("km.csv"): Vote.APPROVED})
    blind = site.entries("release.vote")
    assert not any(word in str([entry.details for entry in blind]) for word in Vote)
    assert site.entries("release.open_votes") == []
    site.releases.vote(CARA, name, Vote.APPROVED)
    [opening] = site.entries("release.open_votes")
    sealed = [line for entry in blind for line in entry.details["votes"]]
    told = opening.details["votes"]
    assert (opening.actor_kind, len(sealed), len(told)) == ("system", 3, 3)
    for line in sealed:
        assert sum(opens(name, 1, line, found) for found in told) == 1
    assert [
        (vote["checker"], vote["vote"]) for vote in site.entries("release.vote")[-1].details["votes"]
    ] == [
        ("cara", "APPROVED"),
        ("cara", "APPROVED"),
    ]


def test_checkers_who_see_each_other_change_votes_with_a_reason(site: Site, requested: ReleaseView) -> None:
    """Otherwise they cannot come to one mind, or nobody learns what changed it."""
    name = requested.request.id
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    view = site.releases.vote(CARA, name, {path("km.csv"): Vote.CHANGES_REQUESTED})
    assert view.phase is ReviewPhase.INDEPENDENT
    view = site.releases.vote(CARA, name, {path("counts.csv"): Vote.APPROVED})
    assert view.phase is ReviewPhase.CONSOLIDATING
    assert view.decisions[path("km.csv")] is Decision.CONFLICTED
    with pytest.raises(InputError, match="A reason is missing"):
        site.releases.vote(CHRIS, name, {path("km.csv"): Vote.CHANGES_REQUESTED})
    view = site.releases.vote(
        CHRIS, name, {path("km.csv"): Vote.CHANGES_REQUESTED}, reason="cara is right: row 3"
    )
    assert (view.request.state, view.phase) == (ReleaseState.REVIEWED, ReviewPhase.COMPLETE)
    history = site.releases.history(CLEO, name)
    votes = [(event.by, event.what, event.text) for event in history if event.about == path("km.csv")]
    assert votes == [
        ("chris", "voted APPROVED", ""),
        ("cara", "voted CHANGES_REQUESTED", ""),
        ("chris", "voted CHANGES_REQUESTED", "cara is right: row 3"),
    ]
    assert "row 3" not in str(site.entries())


# Files that are taken out, turns that are kept


def test_an_author_takes_a_file_out_and_the_rest_goes_on(site: Site, requested: ReleaseView) -> None:
    """Otherwise a mistake in one file costs the review of all, or leaves the node."""
    name = requested.request.id
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    site.releases.vote(
        CARA, name, {path("km.csv"): Vote.APPROVED, path("counts.csv"): Vote.CHANGES_REQUESTED}
    )
    with pytest.raises(RefusedError, match="only its authors"):
        site.releases.withdraw_file(BEN, name, path("counts.csv"))
    view = site.releases.withdraw_file(ANA, name, path("counts.csv"))
    gone = view.request.file(path("counts.csv"))
    assert (gone.kind, gone.withdrawn_by) == (FileKind.WITHDRAWN, "ana")
    assert view.request.state is ReleaseState.REVIEWED, "an author's act approves nothing"
    with pytest.raises(RefusedError, match="takes no votes"):
        site.releases.vote(CLEO, name, {path("counts.csv"): Vote.APPROVED})
    with pytest.raises(RefusedError, match="last output"):
        site.releases.withdraw_file(ANA, name, path("km.csv"))
    site.releases.approve(CARA, name)
    site.publisher.publish_approved()
    assert [f.name for f in (site.zone.path(name) / "files").iterdir()] == ["km.csv"]
    [entry] = [entry for entry in site.entries("release.withdraw_file") if entry.result == "done"]
    assert entry.details["file"] == gone.sha256


def test_earlier_turns_can_be_shown_with_their_files_votes_and_comments(
    site: Site, requested: ReleaseView
) -> None:
    """Otherwise nobody can tell whether the second turn does what the first asked for."""
    name = requested.request.id
    site.check_runner.failing = {"km.csv"}
    for checker in (CHRIS, CARA):
        site.releases.vote(checker, name, Vote.CHANGES_REQUESTED)
    site.releases.comment(CARA, name, "Round, please", group="default")
    site.releases.return_(CARA, name, reason="Not rounded")
    old = site.releases.show(ANA, name).request.file(path("km.csv"))
    site.wrote("km.csv", b"time,at_risk\n0,500\n1,490\n")
    groups = [AskedGroup(Case("Survival", "Rounded now"), Choice("run-1", ("km.csv",)), "rounded")]
    again = site.releases.resubmit_groups(BEN, name, groups)
    assert (again.request.turn, again.request.state) == (2, ReleaseState.SUBMITTED)
    with pytest.raises(NotFoundError, match="no file group 'default'"):
        site.releases.comment(CARA, name, "Better", group="default")

    then = site.releases.show(CLEO, name, turn=1)
    assert [file.path for file in then.request.files] == [path("counts.csv"), path("km.csv")]
    assert then.request.file(path("km.csv")) == old
    assert (then.request.state, then.request.reason) == (ReleaseState.RETURNED, "Not rounded")
    assert set(then.decisions.values()) == {Decision.CHANGES_REQUESTED}
    assert [comment.group for comment in then.comments] == ["default"]
    assert then.report is not None
    assert not then.report.failed(path("km.csv"))
    now = site.releases.show(CLEO, name)
    assert now.report is not None
    assert now.report.failed(path("km.csv"))
    assert b"".join(site.releases.read_file(CLEO, name, path("km.csv"), turn=1)) == FILES["km.csv"]
    with pytest.raises(NotFoundError, match="has no turn 3"):
        site.releases.show(CLEO, name, turn=3)
    told = [(event.turn, event.by, event.what) for event in site.releases.history(ANA, name)]
    assert told[0] == (1, "ana", "requested")
    assert told[-2:] == [(1, "cara", "returned"), (2, "ben", "requested")]


def test_two_who_ask_again_at_once_leave_one_turn_and_its_files(site: Site, requested: ReleaseView) -> None:
    """Otherwise the second freezes over the first's files, or discards them."""
    name = requested.request.id
    site.releases.return_(CARA, name, reason="Again")

    def meanwhile() -> None:
        site.check_runner.meanwhile = lambda: None
        with pytest.raises(RefusedError, match="cannot take 'request' now"):
            site.releases.resubmit(BEN, name, Choice("run-1", ("log.txt",)), CASE)

    site.check_runner.meanwhile = meanwhile
    view = site.releases.resubmit(ANA, name, Choice("run-1", ("km.csv",)), CASE)
    assert [file.path for file in view.request.files] == [path("km.csv")]
    assert b"".join(site.releases.read_file(CHRIS, name, path("km.csv"))) == FILES["km.csv"]


# Signatures, and votes that count no more


def test_votes_are_signed_where_the_checker_has_a_key(site: Site, requested: ReleaseView) -> None:
    """Otherwise a vote is only a row in the database."""
    with site.governance.transaction() as work:
        site.signatures.current_key(work, "chris")
    name = requested.request.id
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    view = site.releases.vote(CARA, name, Vote.APPROVED)
    assert {file.signed_by for file in summary_of(view).files} == {("chris",)}
    with site.governance.transaction() as work:
        request = work.releases.get(name)
        assert request is not None
        assert all(vote.policy_version for vote in request.votes)


def test_a_vote_with_a_revoked_key_or_of_a_former_checker_counts_no_more(
    site: Site, requested: ReleaseView
) -> None:
    """Otherwise a stolen key, or somebody who has left, lets a file out."""
    from phems.services.approver_keys import ApproverKeyRegister

    with site.governance.transaction() as work:
        site.signatures.current_key(work, "chris")
    name = requested.request.id
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    site.releases.vote(CLEO, name, {path("km.csv"): Vote.APPROVED})
    ApproverKeyRegister(site.governance, site.keys, site.clock).revoke(OPERATOR, "chris", reason="Stolen")
    site.people.roles["cleo", PROJECT] = {Role.DATA_ANALYST}
    view = site.releases.vote(CARA, name, Vote.APPROVED)
    assert view.request.state is ReleaseState.PARTIALLY_REVIEWED
    assert view.request.votes_on(path("km.csv"))["cara"] is Vote.APPROVED
    annulled = {(entry.actor_kind, entry.details["checker"]) for entry in site.entries("release.annul_vote")}
    assert annulled == {("system", "chris"), ("system", "cleo")}
    with pytest.raises(RefusedError):
        site.releases.approve(CARA, name)


# What project code wrote


def test_names_that_project_code_chose_do_not_get_into_the_audit_log(site: Site, run_of: RunOf) -> None:
    """Otherwise a patient's name leaves as a file's name, with a log that is handed to auditors."""
    canary = "CANARY-jane-doe-1948"
    files = {f"{canary}/{canary}.csv": FILES["km.csv"], f"{canary}.txt": b"x\n"}
    run_of({**files, f"{canary}.html": b"<html>", f"{canary}.json": b"<script>"})
    for bad in (f"{canary}.html", f"{canary}.json"):
        with pytest.raises(RefusedError, match=canary):
            site.releases.request(ANA, PROJECT, Choice("run-1", (bad,)), CASE)
    changed = site.folder / "artifacts" / PROJECT / path(f"{canary}.txt")
    changed.write_bytes(b"y\n")
    with pytest.raises(PhemsError, match=canary):
        site.releases.request(ANA, PROJECT, Choice("run-1", (f"{canary}.txt",)), CASE)
    changed.write_bytes(b"x\n")

    site.check_runner.failing = {f"{canary}.txt"}
    name = site.releases.request(
        ANA, PROJECT, Choice("run-1", tuple(files)), Case(f"{canary} context", f"{canary} controls")
    ).request.id
    b"".join(site.releases.read_file(CHRIS, name, path(f"{canary}.txt")))
    site.releases.comment(CHRIS, name, canary)
    site.releases.vote(CHRIS, name, Vote.APPROVED, justification=canary)
    site.releases.withdraw_file(ANA, name, path(f"{canary}.txt"))
    site.releases.vote(CARA, name, Vote.CHANGES_REQUESTED)
    site.releases.vote(CARA, name, {path(f"{canary}/{canary}.csv"): Vote.UNDECIDED}, reason=canary)
    site.releases.return_(CARA, name, reason=canary)
    site.releases.withdraw(ANA, name, reason=canary)
    with pytest.raises(RefusedError):
        site.releases.vote(CHRIS, name, Vote.APPROVED)
    log = json.dumps([[entry.action, entry.subject, entry.details] for entry in site.entries()], default=str)
    assert canary not in log
    assert sum(entry.result == "refused" for entry in site.entries("release.request")) == 3
