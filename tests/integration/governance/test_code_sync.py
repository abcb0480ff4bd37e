"""phems code sync, on real git and a real database: the Code Mount is what is approved, and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.integration.governance.governed_site import ANA, IDA, PROJECT, CodeRepo, Site

from phems.adapters.environments.built import BuiltEnvironments
from phems.adapters.environments.wheels import WheelSources
from phems.adapters.git import GitRepos
from phems.domain.code_revisions import CodeRevisionState
from phems.errors import InputError, IntegrityError, RefusedError
from phems.services.code_sync import CodeSync, SyncedProject, raise_for


@dataclass
class RunsOnTheirWay:
    """What unfinished runs stand on, as a test sets it."""

    stood_on: set[str] = field(default_factory=set)

    def commits(self, project: str) -> frozenset[str]:
        return frozenset(self.stood_on)


@dataclass
class Syncing:
    site: Site
    runs: RunsOnTheirWay = field(default_factory=RunsOnTheirWay)
    requirements: str | None = None

    def __post_init__(self) -> None:
        self.environments = BuiltEnvironments(self.site.folder / "environments", WheelSources)
        self.use_case = CodeSync(
            self.site.governance,
            GitRepos(),
            self.site.mount,
            self.environments,
            self.site.approvals,
            self.runs,
            self.site.access.rules,
            lambda _project: self.requirements,
        )

    def sync(self, *, dry_run: bool = False) -> SyncedProject:
        (row,) = self.use_case.sync([PROJECT], dry_run=dry_run)
        return row

    @property
    def mounted(self) -> set[str]:
        return {place.name for place in self.folder.iterdir()} if self.folder.exists() else set()

    @property
    def folder(self) -> Path:
        return self.site.folder / "code" / PROJECT


@pytest.fixture
def syncing(site: Site) -> Syncing:
    return Syncing(site)


def approve(site: Site, repo: CodeRepo, text: str) -> str:
    commit = repo.commit({"src/heart_attack/definitions.py": text})
    site.code.submit(ANA, PROJECT, commit)
    return site.code.approve(IDA, PROJECT, commit).digest


def test_an_empty_disk_gets_what_is_approved_and_nothing_that_is_not(
    syncing: Syncing, site: Site, repo: CodeRepo
) -> None:
    """A node comes up on a new volume: what it starts with must be what somebody signed for."""
    digest = approve(site, repo, "defs = 2\n")
    site.code.submit(ANA, PROJECT, repo.commit({"src/heart_attack/definitions.py": "hostile"}))
    shutil.rmtree(syncing.folder)

    would = syncing.sync(dry_run=True)
    assert (would.code, would.pointer, syncing.mounted) == ("would fetch", "would move", set())

    row = syncing.sync()
    assert (row.code, row.pointer, row.digest, row.error) == ("fetched", "moved", digest, "")
    assert syncing.mounted == {digest, "current"}
    assert (syncing.folder / "current" / "src/heart_attack/definitions.py").read_text() == "defs = 2\n"
    assert site.entries()[-1].action == "code.sync"
    assert site.entries()[-1].details["digest"] == digest

    before = len(site.entries())
    again = syncing.sync()
    assert (again.code, again.pointer, again.changes) == ("present", "unchanged", False)
    assert len(site.entries()) == before, "what changed nothing fills the audit log"


def test_the_pointer_follows_and_what_nothing_stands_on_goes(
    syncing: Syncing, site: Site, repo: CodeRepo
) -> None:
    """Disks fill up otherwise; and what a run still needs must not go from under it."""
    first = approve(site, repo, "defs = 1\n#\n")
    on_its_way = repo.git("rev-parse", "HEAD")
    second, third, fourth = (approve(site, repo, f"defs = {number}\n") for number in (2, 3, 4))
    syncing.runs.stood_on = {on_its_way[:12]}

    would = syncing.sync(dry_run=True)
    assert would.removed == (second,)
    assert second in syncing.mounted
    row = syncing.sync()
    assert row.removed == (second,)
    assert syncing.mounted == {first, third, fourth, "current"}
    assert site.mount.current(PROJECT) == fourth
    syncing.runs.stood_on.clear()
    assert syncing.sync().removed == (first,)


def test_going_back_takes_one_act_and_no_new_approval(syncing: Syncing, site: Site, repo: CodeRepo) -> None:
    """The last revision broke something: the one before is there at once, and it was approved before."""
    first = approve(site, repo, "defs = 1\n#\n")
    commit = repo.git("rev-parse", "HEAD")
    approve(site, repo, "defs = broken\n")
    broken = repo.git("rev-parse", "HEAD")
    syncing.sync()
    with pytest.raises(RefusedError):
        site.code.restore(ANA, PROJECT, commit, reason="It was mine")
    with pytest.raises(InputError, match="reason is missing"):
        site.code.restore(IDA, PROJECT, commit, reason=" ")
    restored = site.code.restore(IDA, PROJECT, commit, reason="The new one divides by zero")
    assert (restored.state, restored.turn) == (CodeRevisionState.APPROVED, 1)
    assert site.code.show(IDA, PROJECT, broken).state is CodeRevisionState.REPLACED
    assert [entry.action for entry in site.entries()][-2:] == ["code.replace", "code.restore"]
    row = syncing.sync()
    assert (row.digest, row.code, row.pointer) == (first, "present", "moved")
    with pytest.raises(RefusedError):
        site.code.restore(IDA, PROJECT, commit, reason="Again")


def test_nothing_goes_back_to_what_lost_its_approvals_or_was_revoked(
    syncing: Syncing, site: Site, repo: CodeRepo
) -> None:
    """An approver's key was revoked since: what it signed alone must not come back by a side door."""
    approve(site, repo, "defs = 1\n#\n")
    first = repo.git("rev-parse", "HEAD")
    approve(site, repo, "defs = 2\n")
    second = repo.git("rev-parse", "HEAD")
    site.set_rules(approvals=2)
    with pytest.raises(RefusedError, match="approvals it needs"):
        site.code.restore(IDA, PROJECT, first, reason="Back")
    site.set_rules(approvals=1)
    site.code.revoke(IDA, PROJECT, first, reason="It prints rows")
    with pytest.raises(RefusedError):
        site.code.restore(IDA, PROJECT, first, reason="Back")
    assert site.code.show(IDA, PROJECT, second).state is CodeRevisionState.APPROVED


def test_what_was_revoked_is_taken_away(syncing: Syncing, site: Site, repo: CodeRepo) -> None:
    digest = approve(site, repo, "defs = 2\n")
    syncing.sync()
    site.code.revoke(IDA, PROJECT, repo.git("rev-parse", "HEAD"), reason="It prints rows")
    row = syncing.sync()
    assert (row.commit, row.pointer, row.removed) == (None, "moved", (digest,))
    assert syncing.mounted == set()


def test_code_changed_on_the_disk_or_gone_from_its_branch_is_an_error_and_not_mended_over(
    syncing: Syncing, site: Site, repo: CodeRepo
) -> None:
    """Somebody wrote to the mount, or forced the branch elsewhere: a person must look."""
    digest = approve(site, repo, "defs = 2\n")
    place = syncing.folder / digest / "src/heart_attack/definitions.py"
    place.chmod(0o644)
    place.write_text("hostile")
    row = syncing.sync()
    assert "not what was approved" in row.error
    with pytest.raises(IntegrityError, match="1 of 1"):
        raise_for([row])

    shutil.rmtree(syncing.folder)
    repo.git("reset", "-q", "--hard", "HEAD~1")
    assert "is not on the branch" in syncing.sync().error
    assert digest not in syncing.mounted


def test_approvals_that_count_no_more_bring_nothing(syncing: Syncing, site: Site, repo: CodeRepo) -> None:
    """The approver's key was stolen and revoked: their word must not put code on a new machine."""
    approve(site, repo, "defs = 2\n")
    shutil.rmtree(syncing.folder)
    site.set_rules(approvals=2)
    assert "approvals" in syncing.sync().error
    assert syncing.mounted == set()
    raise_for([])


def test_the_environment_is_built_with_the_code(syncing: Syncing, site: Site, repo: CodeRepo) -> None:
    """Otherwise the first run on a new machine waits for packages, or fails where there is no network."""
    repo.commit({"requirements.txt": "# nothing beside the node's own\n"})
    syncing.requirements = "requirements.txt"
    digest = approve(site, repo, "defs = 2\n")
    assert syncing.sync(dry_run=True).environment == "would build"
    row = syncing.sync()
    assert (row.environment, row.error) == ("built", "")
    assert syncing.environments.is_built(syncing.folder / digest, "requirements.txt")
    assert row.environment_digest is not None
    assert syncing.sync().environment == syncing.sync(dry_run=True).environment == "present"
    assert syncing.use_case.collect_environments([PROJECT]) == []
    site.code.revoke(IDA, PROJECT, repo.git("rev-parse", "HEAD"), reason="It prints rows")
    assert syncing.use_case.collect_environments([PROJECT]) == [row.environment_digest]
