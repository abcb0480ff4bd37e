"""Code revisions from a real Git repository to the Code Mount, on a real database."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path

import pytest
from tests.integration.governance.governed_site import (
    ANA,
    BEN,
    IDA,
    IVO,
    OTHER,
    PROJECT,
    STRANGER,
    CodeRepo,
    Site,
)

from phems.domain.actors import Actor
from phems.domain.code_revisions import CodeRevisionState
from phems.domain.permissions import Role
from phems.errors import InputError, IntegrityError, NotFoundError, RefusedError, UnavailableError

FIRST_FILE = "src/heart_attack/definitions.py"


def mounted(site: Site, digest: str) -> Path:
    return site.folder / "code" / PROJECT / digest


def test_an_approved_commit_lies_in_the_code_mount_byte_for_byte_and_read_only(
    site: Site, repo: CodeRepo
) -> None:
    """Otherwise what runs is not what was approved."""
    script = repo.folder / "run.sh"
    script.write_text("echo hi\n")
    script.chmod(0o755)
    commit = repo.commit({"data/kept.txt": "kept"})

    submitted = site.code.submit(ANA, PROJECT, commit[:10])
    approved = site.code.approve(IDA, PROJECT, commit[:8])

    assert (submitted.state, approved.state) == (CodeRevisionState.SUBMITTED, CodeRevisionState.APPROVED)
    tree = mounted(site, approved.digest)
    assert (tree / FIRST_FILE).read_text() == "defs = 1\n"
    assert (tree / "data/kept.txt").read_text() == "kept"
    assert stat.S_IMODE((tree / FIRST_FILE).stat().st_mode) == 0o444
    assert stat.S_IMODE((tree / "run.sh").stat().st_mode) == 0o555
    assert not (tree / ".git").exists()
    site.mount.verify(PROJECT, approved.digest)
    assert [entry.action for entry in site.entries()] == [
        "code.submit",
        "user.register_key",
        "code.approve",
    ]
    assert site.entries()[-1].details["digest"] == approved.digest


def test_without_a_commit_the_tip_of_the_branch_is_submitted(site: Site, repo: CodeRepo) -> None:
    """Otherwise an author submits something else than what they just merged."""
    assert site.code.submit(ANA, PROJECT).commit == repo.git("rev-parse", "main")


def test_a_commit_that_is_not_on_the_branch_is_refused(site: Site, repo: CodeRepo) -> None:
    """Otherwise code that nobody merged gets approved."""
    repo.git("checkout", "-q", "-b", "side")
    commit = repo.commit({FIRST_FILE: "defs = 2\n"})
    with pytest.raises(RefusedError, match="not on the branch 'main'"):
        site.code.submit(ANA, PROJECT, commit)
    assert [entry.result for entry in site.entries("code.submit")] == ["refused"]


def test_a_commit_that_was_taken_off_the_branch_after_submission_is_not_approved(
    site: Site, repo: CodeRepo
) -> None:
    """Otherwise an approver approves what the project has withdrawn."""
    first = repo.git("rev-parse", "HEAD")
    commit = repo.commit({FIRST_FILE: "defs = 2\n"})
    site.code.submit(ANA, PROJECT, commit)
    repo.git("reset", "-q", "--hard", first)
    with pytest.raises(RefusedError, match="not on the branch"):
        site.code.approve(IDA, PROJECT, commit)
    assert site.code.show(ANA, PROJECT, commit).state is CodeRevisionState.SUBMITTED


def test_nobody_approves_their_own_code_whatever_their_roles(site: Site, repo: CodeRepo) -> None:
    """Attack 18: self-approval, as submitter and as the commit's author."""
    site.people.roles[ANA.name, PROJECT] = {Role.DATA_ANALYST, Role.INFORMATION_ASSET_OWNER}
    mine = repo.commit({"a": "1"}, name="Somebody", email="else@hospital.example")
    site.code.submit(ANA, PROJECT, mine)
    with pytest.raises(RefusedError, match="cannot approve"):
        site.code.approve(ANA, PROJECT, mine)

    written = repo.commit({"a": "2"}, name="Ida Owner", email="IDA@hospital.example")
    site.code.submit(ANA, PROJECT, written)
    with pytest.raises(RefusedError, match="its author cannot"):
        site.code.approve(IDA, PROJECT, written)
    assert [entry.actor for entry in site.entries("code.approve")] == [ANA.name, IDA.name]
    assert {entry.result for entry in site.entries("code.approve")} == {"refused"}


def test_two_approvals_come_from_two_people_who_still_may(site: Site, repo: CodeRepo) -> None:
    """Attack 18: the same approver twice, and one whose role was taken away since."""
    site.set_rules(approvals=2)
    commit = repo.commit({"a": "1"})
    site.code.submit(ANA, PROJECT, commit)
    assert site.code.approve(IDA, PROJECT, commit).state is CodeRevisionState.UNDER_REVIEW
    with pytest.raises(RefusedError, match="already approved"):
        site.code.approve(IDA, PROJECT, commit)

    site.people.roles[IDA.name, PROJECT] = set()
    assert site.code.approve(IVO, PROJECT, commit).state is CodeRevisionState.UNDER_REVIEW

    site.people.roles[IDA.name, PROJECT] = {Role.INFORMATION_ASSET_OWNER}
    site.people.roles["iris", PROJECT] = {Role.INFORMATION_ASSET_OWNER}
    assert site.code.approve(Actor("iris"), PROJECT, commit).state is CodeRevisionState.APPROVED


def test_an_approval_does_not_hold_for_code_one_byte_different(site: Site, repo: CodeRepo) -> None:
    """Attack 17: the object behind a submitted commit is swapped before the approval."""
    commit = repo.commit({FIRST_FILE: "defs = 1  # safe\n"})
    site.code.submit(ANA, PROJECT, commit)
    _forge_blob(repo, commit, b"defs = 1  # evil\n")
    with pytest.raises(IntegrityError, match="not what was approved"):
        site.code.approve(IDA, PROJECT, commit)
    assert site.code.show(ANA, PROJECT, commit).state is CodeRevisionState.SUBMITTED
    assert list((site.folder / "code" / PROJECT).iterdir()) == []


def _forge_blob(repo: CodeRepo, commit: str, content: bytes) -> None:
    """Put other bytes under the name of a loose object, as someone with access to the folder can."""
    name = repo.git("rev-parse", f"{commit}:{FIRST_FILE}")
    place = repo.folder / ".git" / "objects" / name[:2] / name[2:]
    place.chmod(0o644)
    place.write_bytes(zlib.compress(b"blob %d\0" % len(content) + content))


def test_replacement_objects_do_not_change_what_a_commit_is(site: Site, repo: CodeRepo) -> None:
    """Otherwise `git replace` shows the approver one tree and the node another."""
    safe = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "-q", "-b", "evil")
    evil = repo.commit({FIRST_FILE: "evil\n"})
    repo.git("checkout", "-q", "main")
    repo.git("replace", safe, evil)
    revision = site.code.submit(ANA, PROJECT, safe)
    site.code.approve(IDA, PROJECT, safe)
    assert (mounted(site, revision.digest) / FIRST_FILE).read_text() == "defs = 1\n"


def test_nothing_of_the_repository_runs(site: Site, repo: CodeRepo, tmp_path: Path) -> None:
    """Otherwise submitting code is enough to run it in the control plane."""
    trap = tmp_path / "sprung"
    script = repo.folder / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\n")
    script.chmod(0o755)
    commit = repo.commit({".gitattributes": "* filter=trap diff=trap\n"})
    for hook in ("post-checkout", "pre-auto-gc", "reference-transaction", "fsmonitor-watchman"):
        place = repo.folder / ".git" / "hooks" / hook
        place.parent.mkdir(exist_ok=True)
        place.write_text(script.read_text())
        place.chmod(0o755)
    for key in (
        "filter.trap.smudge",
        "filter.trap.process",
        "diff.trap.textconv",
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "gpg.program",
        "core.alternateRefsCommand",
    ):
        repo.git("config", key, str(script))
    trap.unlink(missing_ok=True)  # `git config` and `git add` above may have sprung it themselves
    site.code.submit(ANA, PROJECT, commit)
    site.code.approve(IDA, PROJECT, commit)
    assert not trap.exists()


@pytest.mark.parametrize("kind", ["symlink", "submodule"])
def test_only_regular_files_can_be_submitted(site: Site, repo: CodeRepo, kind: str) -> None:
    """Otherwise a link in the tree leads the project host out of what was reviewed."""
    if kind == "symlink":
        (repo.folder / "link").symlink_to("/etc/passwd")
        commit = repo.commit({})
    else:
        head = repo.git("rev-parse", "HEAD")
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
        repo.git("commit", "-q", "-m", "Submodule")
        commit = repo.git("rev-parse", "HEAD")
    with pytest.raises(InputError, match=r"symbolic link|submodule") as refused:
        site.code.submit(ANA, PROJECT, commit)
    assert "Remove it in the Code Repo" in refused.value.remedy


def test_a_path_that_climbs_is_refused(site: Site, repo: CodeRepo) -> None:
    """Attack 26: a hand-made tree with `..` must not write outside the Code Mount."""
    blob = repo.git("hash-object", "-w", str(repo.folder / FIRST_FILE))
    inner = _tree(repo, b"100644", b"escape.py", blob)
    outer = _tree(repo, b"40000", b"..", inner)
    commit = repo.git("commit-tree", outer, "-m", "Climb")
    repo.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(InputError, match=r"climbs"):
        site.code.submit(ANA, PROJECT, commit)


def _tree(repo: CodeRepo, mode: bytes, name: bytes, target: str) -> str:
    body = mode + b" " + name + b"\0" + bytes.fromhex(target)
    scratch = repo.folder.parent / "tree-object"
    scratch.write_bytes(body)
    return repo.git("hash-object", "-w", "-t", "tree", "--literally", str(scratch))


def test_a_newer_approval_replaces_the_older_one_and_tells_the_node(site: Site, repo: CodeRepo) -> None:
    """Otherwise two revisions are current, and which one runs is chance."""
    first = site.code.submit(ANA, PROJECT).commit
    site.code.approve(IDA, PROJECT, first)
    second = repo.commit({FIRST_FILE: "defs = 2\n"})
    site.code.submit(BEN, PROJECT, second)
    site.code.approve(IDA, PROJECT, second)

    states = {revision.commit: revision.state for revision in site.code.list(ANA, PROJECT)}
    assert states == {first: CodeRevisionState.REPLACED, second: CodeRevisionState.APPROVED}
    with site.governance.transaction() as work:
        current = work.code_revisions.approved(PROJECT)
    assert current is not None
    assert current.commit == second
    replaced = site.entries("code.replace")
    assert [(entry.subject, entry.details["by"]) for entry in replaced] == [(first, second)]


def test_what_was_revoked_never_comes_back_even_under_another_commit(site: Site, repo: CodeRepo) -> None:
    """Otherwise an empty commit on top brings revoked code back."""
    first = site.code.submit(ANA, PROJECT).commit
    site.code.approve(IDA, PROJECT, first)
    same = repo.commit({}, "The same tree")
    site.code.submit(ANA, PROJECT, same)
    site.code.approve(IDA, PROJECT, same)

    revoked = site.code.revoke(IDA, PROJECT, first, reason="It leaked")
    assert revoked.state is CodeRevisionState.REVOKED
    assert site.code.show(ANA, PROJECT, same).state is CodeRevisionState.REVOKED
    with pytest.raises(RefusedError, match="was revoked"):
        site.code.submit(ANA, PROJECT, first)
    again = repo.commit({}, "The same tree once more")
    with pytest.raises(RefusedError, match="was revoked: It leaked"):
        site.code.submit(ANA, PROJECT, again)


def test_a_rejected_commit_can_be_submitted_again_and_needs_new_approvals(site: Site, repo: CodeRepo) -> None:
    """Otherwise a mistaken rejection is for ever, or an old approval counts for a new turn."""
    site.set_rules(approvals=2)
    commit = repo.commit({"a": "1"})
    site.code.submit(ANA, PROJECT, commit)
    site.code.approve(IDA, PROJECT, commit)
    rejected = site.code.reject(IVO, PROJECT, commit, reason="Not yet")
    assert (rejected.state, rejected.reason) == (CodeRevisionState.REJECTED, "Not yet")
    assert site.code.submit(ANA, PROJECT, commit).turn == 2
    assert site.code.approve(IVO, PROJECT, commit).state is CodeRevisionState.UNDER_REVIEW


def test_people_of_other_projects_see_no_difference_to_a_project_that_is_not_there(site: Site) -> None:
    """Otherwise the names of projects leak."""
    answers = []
    for project in (PROJECT, "no-such-project"):
        with pytest.raises(NotFoundError) as refused:
            site.code.list(STRANGER, project)
        answers.append(str(refused.value).replace(project, "PROJECT"))
    assert answers[0] == answers[1]
    assert site.code.list(STRANGER, OTHER) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"repo": Path("/nonexistent/repo")}, "There is no Git repository at /nonexistent/repo"),
        ({"branch": "release"}, "has no branch 'release'"),
    ],
)
def test_a_code_repo_that_cannot_be_read_is_a_clear_error(
    site: Site, change: dict[str, object], told: str
) -> None:
    """Otherwise people read Git's words, or a traceback."""
    site.set_rules(**change)
    with pytest.raises(InputError, match=told) as refused:
        site.code.submit(ANA, PROJECT)
    assert refused.value.why
    assert "code.repo" in refused.value.remedy + refused.value.why or "code.branch" in refused.value.why


@pytest.mark.parametrize("commit", ["0" * 40, "deadbee", "main", "HEAD~1", "--help", "abc"])
def test_an_unknown_commit_is_a_clear_error(site: Site, commit: str) -> None:
    """Otherwise a name is taken for an option or for something else than a commit."""
    with pytest.raises(InputError, match="commit") as refused:
        site.code.submit(ANA, PROJECT, commit)
    assert "git -C" in refused.value.remedy


def test_a_repository_of_another_user_can_be_read(site: Site, repo: CodeRepo) -> None:
    """Otherwise Git's ownership check stops the node, which runs as its own user."""
    if os.getuid() != 0:
        pytest.skip("needs root to give the repository to another user")
    for place in [repo.folder, *repo.folder.rglob("*")]:
        os.chown(place, 12345, 12345, follow_symlinks=False)
    assert site.code.submit(ANA, PROJECT).subject == "Begin"


def test_a_bare_mirror_serves_as_well(site: Site, repo: CodeRepo, tmp_path: Path) -> None:
    """Otherwise the usual way to keep a mirror does not work."""
    repo.git("clone", "-q", "--mirror", str(repo.folder), str(tmp_path / "mirror.git"))
    site.set_rules(repo=tmp_path / "mirror.git")
    assert site.code.submit(ANA, PROJECT).branch == "main"


def test_a_tree_that_was_changed_in_the_code_mount_is_found(site: Site) -> None:
    """Otherwise code can be changed after its approval."""
    revision = site.code.submit(ANA, PROJECT)
    site.code.approve(IDA, PROJECT, revision.commit)
    changed = mounted(site, revision.digest) / FIRST_FILE
    changed.chmod(0o644)
    changed.write_text("evil\n")
    with pytest.raises(IntegrityError, match="not what was approved"):
        site.mount.verify(PROJECT, revision.digest)


def test_when_the_code_mount_cannot_be_written_nothing_is_approved(site: Site) -> None:
    """Otherwise a revision is APPROVED and cannot run."""
    revision = site.code.submit(ANA, PROJECT)
    (site.folder / "code").mkdir(parents=True)
    (site.folder / "code" / PROJECT).write_text("in the way")
    with pytest.raises(UnavailableError, match="could not be written"):
        site.code.approve(IDA, PROJECT, revision.commit)
    assert site.code.show(ANA, PROJECT, revision.commit).state is CodeRevisionState.SUBMITTED
    assert site.entries("code.approve") == []
