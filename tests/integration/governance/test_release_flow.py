"""Releases from registered outputs to the release zone, on a real database and real folders."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.governance.governed_site import (
    ANA,
    BEN,
    CARA,
    CHRIS,
    CLEO,
    IDA,
    MIB,
    PROJECT,
    STRANGER,
    Site,
)

from phems.domain.permissions import Role
from phems.domain.release_states import ReleaseState
from phems.domain.release_views import ReleaseView
from phems.domain.votes import Decision, ReviewPhase, Vote
from phems.errors import InputError, IntegrityError, NotFoundError, RefusedError
from phems.services.release_files import Choice
from phems.services.releases import Case

CASE = Case("Kaplan-Meier table", "Counts below 10 suppressed")
TABLE = b"time,at_risk\n0,500\n"
NOTE = b"500 patients\n"
FILES = {"km.csv": TABLE, "texts/note.txt": NOTE}

RunOf = Callable[..., str]


@pytest.fixture
def requested(site: Site, run_of: RunOf) -> ReleaseView:
    """Ana's request for two files of one run."""
    return site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE)


def path(view: ReleaseView, name: str) -> str:
    return next(file.path for file in view.request.files if file.path.endswith(name))


def approved(site: Site, name: str) -> ReleaseView:
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    return site.releases.vote(CARA, name, Vote.APPROVED)


def test_two_checkers_votes_release_exactly_the_frozen_bytes(
    site: Site, run_of: RunOf, tmp_path: Path
) -> None:
    """The main road: otherwise nothing, or something else, leaves the node."""
    revision = site.code.submit(ANA, PROJECT)
    site.code.approve(IDA, PROJECT, revision.commit)
    site.launched("run-1", "ana", revision.digest)
    view = site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE)
    name = view.request.id
    assert view.request.state is ReleaseState.SUBMITTED
    # Whatever happens to the artifact area from now on does not matter.
    for place in (site.folder / "artifacts").rglob("*.csv"):
        place.write_bytes(b"other bytes")

    assert site.releases.vote(CHRIS, name, Vote.APPROVED).request.state is ReleaseState.PARTIALLY_REVIEWED
    assert site.releases.vote(CARA, name, Vote.APPROVED).request.state is ReleaseState.APPROVED
    assert not site.zone.path(name).exists()
    [publication] = site.publisher.publish_approved()

    package = site.folder / "zone" / name
    assert publication.package == str(package)
    assert {str(f.relative_to(package)) for f in (package / "files").rglob("*") if f.is_file()} == {
        "files/km.csv",
        "files/texts/note.txt",
    }
    assert (package / "files/km.csv").read_bytes() == TABLE
    assert (package / "files/texts/note.txt").read_bytes() == NOTE
    manifest = json.loads((package / "manifest.json").read_bytes())
    assert manifest["request"] == name
    assert manifest["node"] == "node-a"
    assert manifest["controller"] == "Hospital A"
    assert manifest["requester"] == "ana"
    assert manifest["policy"]["votes"] == 2
    [run] = manifest["runs"]
    assert run["launched_by"] == "ana"
    assert run["code_revision"] == {"commit": revision.commit, "digest": revision.digest}
    [table] = [file for file in manifest["files"] if file["path"] == "files/km.csv"]
    assert table["sha256"] == hashlib.sha256(TABLE).hexdigest()
    assert [vote["checker"] for vote in table["votes"]] == ["cara", "chris"]

    released = site.releases.show(ANA, name)
    assert released.request.state is ReleaseState.RELEASED
    assert (
        released.request.package_digest
        == hashlib.sha256((package / "manifest.json").read_bytes()).hexdigest()
    )
    copy = site.releases.download(BEN, name, tmp_path)
    assert (copy / "files/km.csv").read_bytes() == TABLE
    assert [entry.action for entry in site.entries() if entry.subject == name] == [
        "release.request",
        "release.submit",
        "release.vote",
        "release.vote",
        "release.open_votes",
        "release.approve",
        "release.publish",
        "release.download",
    ]
    assert site.publisher.publish_approved() == []


def test_the_author_does_not_vote_and_one_vote_is_not_enough(site: Site, requested: ReleaseView) -> None:
    """Attack 28: the author votes; a single vote."""
    name = requested.request.id
    site.people.roles[ANA.name, PROJECT] = {Role.DATA_ANALYST, Role.OUTPUT_CHECKER}
    with pytest.raises(RefusedError, match="ana cannot vote"):
        site.releases.vote(ANA, name, Vote.APPROVED)
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    again = site.releases.vote(CHRIS, name, Vote.APPROVED)
    assert again.request.state is ReleaseState.PARTIALLY_REVIEWED
    with pytest.raises(RefusedError, match="cannot take 'approve' now"):
        site.releases.approve(CARA, name)
    assert site.publisher.publish_approved() == []
    refusals = [(entry.actor, entry.action) for entry in site.entries() if entry.result == "refused"]
    assert refusals == [("ana", "release.vote"), ("cara", "release.approve")]


def test_who_launched_the_run_is_an_author_too(site: Site, run_of: RunOf) -> None:
    """Otherwise a friend asks for the release, and the author votes on it."""
    site.launched("run-1", "chris", "0" * 64)
    view = site.releases.request(ANA, PROJECT, Choice(run_of(FILES)), CASE)
    with pytest.raises(RefusedError, match="chris cannot vote"):
        site.releases.vote(CHRIS, view.request.id, Vote.APPROVED)


def test_checkers_are_blind_to_each_other_until_both_have_voted(site: Site, requested: ReleaseView) -> None:
    """Otherwise the second checker follows the first."""
    name = requested.request.id
    site.releases.vote(CHRIS, name, {path(requested, "km.csv"): Vote.CHANGES_REQUESTED})
    site.releases.comment(CHRIS, name, "Row 3 is one patient", private=True)
    for viewer in (CARA, ANA, IDA):
        seen = site.releases.show(viewer, name)
        assert seen.votes == ()
        assert seen.comments == ()
        assert set(seen.decisions.values()) == {Decision.INCOMPLETE}
        assert site.releases.list(viewer, PROJECT) == [seen]
    assert len(site.releases.show(CHRIS, name).votes) == 1

    # One file of two is not a whole review.
    site.releases.vote(CARA, name, Vote.APPROVED)
    assert {vote.checker for vote in site.releases.show(CARA, name).votes} == {"cara"}
    both = site.releases.vote(CHRIS, name, {path(requested, "note.txt"): Vote.APPROVED})

    assert both.phase is ReviewPhase.CONSOLIDATING
    seen = site.releases.show(CARA, name)
    assert {vote.checker for vote in seen.votes} == {"cara", "chris"}
    assert seen.decisions[path(requested, "km.csv")] is Decision.CONFLICTED
    assert [comment.text for comment in seen.comments] == ["Row 3 is one patient"]
    author = site.releases.show(ANA, name)
    assert (author.votes, author.comments) == ((), ())


def test_a_third_checker_settles_a_conflict(site: Site, requested: ReleaseView) -> None:
    """Otherwise two who disagree block a request for ever."""
    name = requested.request.id
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    site.releases.vote(CARA, name, Vote.CHANGES_REQUESTED)
    assert site.releases.show(CLEO, name).request.state is ReleaseState.PARTIALLY_REVIEWED
    assert site.releases.vote(CLEO, name, Vote.APPROVED).request.state is ReleaseState.APPROVED


def test_only_approved_files_leave_when_a_part_is_approved(site: Site, requested: ReleaseView) -> None:
    """Otherwise one bad file holds back the good ones, or goes along with them."""
    name = requested.request.id
    votes = {path(requested, "km.csv"): Vote.APPROVED, path(requested, "note.txt"): Vote.CHANGES_REQUESTED}
    site.releases.vote(CHRIS, name, votes)
    reviewed = site.releases.vote(CARA, name, votes)
    assert reviewed.request.state is ReleaseState.REVIEWED
    site.releases.approve(CARA, name, reason="The table alone")
    site.publisher.publish_approved()
    package = site.zone.path(name)
    assert [f.name for f in (package / "files").iterdir()] == ["km.csv"]
    manifest = (package / "manifest.json").read_bytes()
    assert b"note.txt" not in manifest
    assert json.loads(manifest)["files_withheld"] == 1


def test_a_returned_request_is_submitted_again_with_votes_afresh(site: Site, requested: ReleaseView) -> None:
    """Otherwise yesterday's approval holds for today's files."""
    name = requested.request.id
    site.releases.vote(CHRIS, name, Vote.APPROVED)
    site.releases.return_(CARA, name, reason="Round the counts")
    rounded = b"time,at_risk\n0,500\n1,490\n"
    site.wrote("km.csv", rounded)
    again = site.releases.resubmit(BEN, name, Choice("run-1", ("km.csv",)), CASE)
    assert (again.request.turn, again.request.state) == (2, ReleaseState.SUBMITTED)
    assert [file.size for file in again.request.files] == [len(rounded)]
    assert again.request.authors == {"ana", "ben"}
    assert again.decisions == {path(again, "km.csv"): Decision.INCOMPLETE}
    assert approved(site, name).request.state is ReleaseState.APPROVED
    site.publisher.publish_approved()
    assert (site.zone.path(name) / "files/km.csv").read_bytes() == rounded
    with site.governance.transaction() as work:
        assert len(work.releases.files_of_turn(name, 1)) == 2


def test_a_rejected_request_stays_rejected(site: Site, requested: ReleaseView) -> None:
    """Otherwise a refusal can be voted away."""
    name = requested.request.id
    for checker in (CHRIS, CARA):
        site.releases.vote(checker, name, Vote.CHANGES_REQUESTED)
    rejected = site.releases.reject(CARA, name, reason="One patient can be told")
    assert rejected.request.state is ReleaseState.REJECTED
    with pytest.raises(RefusedError, match="takes no votes now"):
        site.releases.vote(CLEO, name, Vote.APPROVED)
    with pytest.raises(RefusedError, match="cannot take 'request'"):
        site.releases.resubmit(ANA, name, Choice("run-1"), CASE)
    assert [vote.checker for vote in site.releases.show(ANA, name).votes][::2] == ["chris", "cara"]


def test_authors_withdraw_until_the_release_and_not_after(site: Site, requested: ReleaseView) -> None:
    """Otherwise a mistake that its author has seen leaves the node anyway."""
    name = requested.request.id
    with pytest.raises(RefusedError, match="only its authors"):
        site.releases.withdraw(BEN, name)
    approved(site, name)
    assert site.releases.withdraw(ANA, name, reason="Wrong file").request.state is ReleaseState.WITHDRAWN
    assert site.publisher.publish_approved() == []
    assert not site.zone.path(name).exists()


def test_a_revoked_release_says_so_in_its_package_and_is_not_handed_out(
    site: Site, requested: ReleaseView, tmp_path: Path
) -> None:
    """Otherwise who fetched it never learns."""
    name = requested.request.id
    approved(site, name)
    site.publisher.publish_approved()
    with pytest.raises(RefusedError):
        site.releases.revoke(CHRIS, name, reason="A checker may not")
    site.releases.revoke(IDA, name, reason="A count was wrong")
    site.publisher.publish_approved()
    notice = json.loads((site.zone.path(name) / "REVOKED.json").read_bytes())
    assert (notice["revoked_by"], notice["reason"]) == ("ida", "A count was wrong")
    with pytest.raises(RefusedError, match="it is REVOKED"):
        site.releases.download(ANA, name, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("model.pkl", pickle.dumps([1]), "allows the file types"),
        ("page.html", b"<html>", "allows the file types"),
        ("plot.svg", b"<svg/>", "allows the file types"),
        ("run.sh", b"#!/bin/sh\n", "allows the file types"),
        ("no_extension", b"1", "without an extension"),
        ("model.json", pickle.dumps([1]), "a pickle"),
        ("page.txt", b"hello <ScRiPt src=x>", "active markup"),
        ("script.csv", b"#!/bin/sh\nrm -rf /\n", "a script"),
        ("archive.csv", b"PK\x03\x04 etc", "an archive"),
        ("plot.png", b"GIF89a", "not that of a .png"),
        ("binary.csv", b"a,b\n\x00\x01", "binary content"),
        ("latin.csv", b"caf\xe9\n", "not UTF-8"),
        ("large.csv", b"1\n" * MIB, "the policy 'default' allows"),
    ],
)
def test_files_that_are_not_allowed_are_refused_and_nothing_is_kept(
    site: Site, run_of: RunOf, name: str, content: bytes, told: str
) -> None:
    """Attack 26: pickles, HTML, SVG and scripts as outputs, under their own name or a harmless one."""
    run_of({"fine.csv": TABLE, name: content})
    with pytest.raises(RefusedError) as refused:
        site.releases.request(ANA, PROJECT, Choice("run-1"), CASE)
    assert name in refused.value.what
    assert told in refused.value.why
    assert refused.value.remedy
    assert site.releases.list(ANA, PROJECT) == []
    assert not any(place.is_file() for place in (site.folder / "releases").rglob("*"))


def test_a_file_that_changed_since_its_run_registered_it_is_refused_by_digest(
    site: Site, run_of: RunOf
) -> None:
    """Attack 27, before the review: the file in the artifact area is swapped."""
    run_of(FILES)
    changed = b"time,at_risk\n0,501\n"
    (site.folder / "artifacts" / PROJECT / "outputs/run-1/km.csv").write_bytes(changed)
    with pytest.raises(IntegrityError) as refused:
        site.releases.request(ANA, PROJECT, Choice("run-1"), CASE)
    assert hashlib.sha256(TABLE).hexdigest() in refused.value.why
    assert hashlib.sha256(changed).hexdigest() in refused.value.why
    assert [entry.result for entry in site.entries("release.request")] == ["refused"]


def test_a_file_swapped_after_review_is_not_released_and_the_hash_is_named(
    site: Site, requested: ReleaseView
) -> None:
    """Attack 27: someone changes the frozen bytes between the votes and the release."""
    name = requested.request.id
    approved(site, name)
    frozen = site.folder / "releases" / name / "frozen" / "1" / path(requested, "km.csv")
    frozen.chmod(0o600)
    frozen.write_bytes(b"time,at_risk\n0,501\n")
    [publication] = site.publisher.publish_approved()
    assert isinstance(publication.error, IntegrityError)
    assert hashlib.sha256(TABLE).hexdigest() in publication.error.why
    assert site.releases.show(ANA, name).request.state is ReleaseState.APPROVED
    assert [place.name for place in (site.folder / "zone").iterdir()] == [".lock"]
    [entry] = site.entries("release.publish")
    assert entry.result == "refused"
    assert hashlib.sha256(TABLE).hexdigest() in entry.details["what"]


def test_one_request_that_cannot_be_published_keeps_no_other_back(site: Site, run_of: RunOf) -> None:
    """Otherwise one damaged file stops every project's releases."""
    names = [
        site.releases.request(ANA, PROJECT, Choice(run_of({"a.csv": TABLE}, run)), CASE).request.id
        for run in ("run-1", "run-2")
    ]
    for name in names:
        approved(site, name)
    (site.folder / "releases" / names[0] / "frozen/1/outputs/run-1/a.csv").unlink()
    results = {one.request_id: one.package is not None for one in site.publisher.publish_approved()}
    assert results == {names[0]: False, names[1]: True}


def test_a_request_of_another_project_looks_like_none(site: Site, requested: ReleaseView) -> None:
    """Attack 8, for requests: otherwise their names and states leak."""
    answers = []
    for name in (requested.request.id, "rr-aaaaaaaa"):
        with pytest.raises(NotFoundError) as refused:
            site.releases.show(STRANGER, name)
        answers.append(str(refused.value).replace(name, "REQUEST"))
        with pytest.raises(NotFoundError):
            site.releases.vote(STRANGER, name, Vote.APPROVED)
    assert answers[0] == answers[1]


def test_private_comments_stay_among_the_checkers(site: Site, requested: ReleaseView) -> None:
    """Otherwise checkers cannot speak openly about a risk."""
    name = requested.request.id
    for checker in (CHRIS, CARA):
        site.releases.vote(checker, name, Vote.CHANGES_REQUESTED)
    site.releases.comment(CHRIS, name, "Looks like table 2 of last year", private=True)
    site.releases.comment(CHRIS, name, "Please round")
    site.releases.comment(ANA, name, "Will do")
    with pytest.raises(RefusedError, match="private comment"):
        site.releases.comment(ANA, name, "Me too", private=True)
    with pytest.raises(InputError, match="empty"):
        site.releases.comment(ANA, name, " ")
    assert [c.text for c in site.releases.show(ANA, name).comments] == ["Please round", "Will do"]
    assert len(site.releases.show(CARA, name).comments) == 3
    assert all("round" not in str(entry.details) for entry in site.entries("release.comment"))


def test_reading_a_frozen_file_is_audited(site: Site, requested: ReleaseView) -> None:
    """Otherwise nobody knows who has looked at an unreleased result."""
    name = requested.request.id
    assert b"".join(site.releases.read_file(CHRIS, name, path(requested, "km.csv"))) == TABLE
    assert [(entry.actor, entry.details["file"]) for entry in site.entries("release.view")] == [
        ("chris", hashlib.sha256(TABLE).hexdigest())
    ]
    with pytest.raises(NotFoundError, match="has no file"):
        site.releases.read_file(CHRIS, name, "outputs/run-1/other.csv")


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (Choice("run-9"), "has no outputs"),
        (Choice("run-1", ("other.csv",)), "has no output 'other.csv'"),
        (Choice(None, ("outputs/run-1/other.csv",)), "has no output"),
        (Choice("run-1", model="risk/1"), "has no model 'risk/1'"),
    ],
)
def test_outputs_that_are_not_there_are_named(site: Site, run_of: RunOf, choice: Choice, told: str) -> None:
    """Otherwise an author does not know what they may ask for."""
    run_of(FILES)
    with pytest.raises(NotFoundError, match=told):
        site.releases.request(ANA, PROJECT, choice, CASE)


def test_a_model_leaves_as_the_one_run_wrote_it_that_is_meant(site: Site, run_of: RunOf) -> None:
    """Otherwise project code could slip files of another run under the name of a model that was looked at."""
    weights = {"models/risk/1/weights.csv": TABLE, "models/risk/10/weights.csv": TABLE}
    run_of(weights, "run-1")
    (file,) = site.releases.request(ANA, PROJECT, Choice(model="risk/1"), CASE).request.files
    assert file.path == "outputs/run-1/models/risk/1/weights.csv"
    run_of(weights, "run-2")
    with pytest.raises(InputError, match="Several runs") as several:
        site.releases.request(ANA, PROJECT, Choice(model="risk/1"), CASE)
    assert "run-1, run-2" in several.value.why
    (file,) = site.releases.request(ANA, PROJECT, Choice("run-2", model="risk/1"), CASE).request.files
    assert file.run_id == "run-2"
    with pytest.raises(InputError, match="at once"):
        site.releases.request(ANA, PROJECT, Choice("run-1", ("km.csv",), "risk/1"), CASE)


def test_a_request_needs_files_context_and_controls(site: Site, run_of: RunOf) -> None:
    """Otherwise checkers decide without knowing on what."""
    run_of(FILES)
    for choice, case, told in (
        (Choice(), CASE, "names no outputs"),
        (Choice("run-1"), Case(" ", "x"), "has no context"),
        (Choice("run-1"), Case("x", ""), "has no controls"),
    ):
        with pytest.raises(InputError, match=told):
            site.releases.request(ANA, PROJECT, choice, case)
    view = site.releases.request(ANA, PROJECT, Choice(None, ("outputs/run-1/km.csv",)), CASE)
    assert [file.size for file in view.request.files] == [len(TABLE)]


def test_a_decision_needs_a_reason(site: Site, requested: ReleaseView) -> None:
    """Otherwise the author does not learn what to change."""
    with pytest.raises(InputError, match="A reason is missing"):
        site.releases.return_(CHRIS, requested.request.id, reason=" ")


def test_only_a_released_package_is_downloaded_and_only_whole(
    site: Site, requested: ReleaseView, tmp_path: Path
) -> None:
    """Otherwise unreviewed or changed bytes are handed out."""
    name = requested.request.id
    with pytest.raises(RefusedError, match="only RELEASED"):
        site.releases.download(ANA, name, tmp_path)
    approved(site, name)
    site.publisher.publish_approved()
    changed = site.zone.path(name) / "files/km.csv"
    changed.chmod(0o644)
    changed.write_bytes(b"swapped")
    with pytest.raises(IntegrityError, match="not the one that was reviewed"):
        site.releases.download(ANA, name, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    changed.write_bytes(TABLE)
    site.releases.download(ANA, name, tmp_path / "out")
    with pytest.raises(InputError, match="exists already"):
        site.releases.download(ANA, name, tmp_path / "out")
