"""A project with a real Git repository, real folders and a real database; people by their roles."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.governance.set_check_runner import SetCheckRunner

from phems.adapters.approver_keys import FolderApproverKeys
from phems.adapters.files.artifact_areas import FolderArtifactAreas
from phems.adapters.files.code_mount import FolderCodeMount
from phems.adapters.files.frozen_files import FolderFrozenFiles
from phems.adapters.files.release_zone import FolderReleaseZone
from phems.adapters.git import GitRepos
from phems.adapters.git_mirrors import GitMirrors
from phems.adapters.output_check_runner import SandboxedCheckRunner
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.release_package.dsse import DssePackageSigner
from phems.adapters.release_package.readme import write_readme
from phems.adapters.signing import RELEASE_KEY, load_or_create_key
from phems.domain.actors import Actor
from phems.domain.audit import Entry
from phems.domain.outputs import Output
from phems.domain.permissions import Role
from phems.domain.release_facts import NodeIdentity, RunTimes
from phems.errors import NotFoundError
from phems.services.approval_signatures import ApprovalSignatures
from phems.services.code_approvals import CodeApprovals
from phems.services.code_revisions import CodeRevisions
from phems.services.outbox import Outbox
from phems.services.output_checks import OutputChecks
from phems.services.outputs import Outputs
from phems.services.package_parts import PackageParts
from phems.services.ports.artifacts import ReleaseZone
from phems.services.ports.runs import RunSubmission
from phems.services.project_access import ProjectAccess, ProjectRules
from phems.services.publisher import Publisher
from phems.services.releases import Releases
from phems.services.vote_signatures import VoteSignatures

PROJECT = "heart-attack"
OTHER = "breast-cancer"
ANA, BEN = Actor("ana"), Actor("ben")
CHECKERS = CHRIS, CARA, CLEO = Actor("chris"), Actor("cara"), Actor("cleo")
OWNERS = IDA, IVO = Actor("ida"), Actor("ivo")
STRANGER = Actor("stranger")

MIB = 1024 * 1024


class SetClock:
    """A clock that moves on by a second each time it is asked."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def pass_time(self, time: timedelta) -> None:
        """So much later."""
        self._now += time


@dataclass
class CodeRepo:
    """A real Git repository with a work tree."""

    folder: Path

    def git(self, *arguments: str, name: str = "Ana", email: str = "ana@hospital.example") -> str:
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", email))
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **who,
        }
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str], message: str = "Change", **who: str) -> str:
        for path, content in files.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, **who)
        return self.git("rev-parse", "HEAD")


@dataclass
class People:
    """Who has which role in which project; a test may change it."""

    roles: dict[tuple[str, str], set[Role]] = field(default_factory=dict)

    def __call__(self, name: str, project: str) -> frozenset[Role]:
        return frozenset(self.roles.get((name, project), ()))


@dataclass
class SetEngineRuns:
    """What the engine has on record of runs; here they were never really run."""

    known: dict[str, RunTimes] = field(default_factory=dict)

    def times(self, run_id: str) -> RunTimes | None:
        return self.known.get(run_id)


@dataclass
class Site:
    """One node's governance, in folders of the test."""

    folder: Path
    governance: PostgresGovernance
    people: People
    rules: dict[str, ProjectRules]
    clock: SetClock = field(default_factory=SetClock)
    engine_runs: SetEngineRuns = field(default_factory=SetEngineRuns)

    def __post_init__(self) -> None:
        self.access = ProjectAccess(self.rules_of, self.people)
        self.mount = FolderCodeMount(self.folder / "code")
        self.artifacts = FolderArtifactAreas(self.folder / "artifacts")
        self.frozen = FolderFrozenFiles(self.folder / "releases")
        self.zone = FolderReleaseZone(self.folder / "zone")
        self.keys = FolderApproverKeys(self.folder / "keys")
        self.signatures = ApprovalSignatures("node-a", self.keys, self.clock)
        self.approvals = CodeApprovals(self.signatures, self.access, self.clock)
        self.repos = GitRepos(mirrors=GitMirrors(self.folder / "mirrors"))
        self.code = CodeRevisions(
            self.governance, self.repos, self.mount, self.access, self.approvals, self.clock
        )
        self.outputs = Outputs(self.governance, self.artifacts, self.access, self.clock)
        self.output_checks = OutputChecks(
            self.governance, self.artifacts, self.frozen, SandboxedCheckRunner(), self.access
        )
        self.check_runner = SetCheckRunner()
        self.releases = Releases(
            self.governance,
            self.artifacts,
            self.frozen,
            self.zone,
            self.access,
            self.clock,
            code=FolderArtifactAreas(self.folder / "code"),
            checks=OutputChecks(self.governance, self.artifacts, self.frozen, self.check_runner, self.access),
            signatures=VoteSignatures(self.signatures),
        )
        self.release_key = load_or_create_key(self.folder / "keys", RELEASE_KEY)
        self.package_parts = PackageParts(
            NodeIdentity("node-a", "Hospital A", "0.1.0"),
            DssePackageSigner(self.release_key),
            write_readme,
            self.engine_runs,
        )
        self.outbox = Outbox(self.governance)
        self.publisher = self.publisher_with(self.zone)

    def publisher_with(self, zone: ReleaseZone, governance: PostgresGovernance | None = None) -> Publisher:
        return Publisher(
            governance or self.governance,
            self.frozen,
            zone,
            self.package_parts,
            VoteSignatures(self.signatures),
            self.clock,
        )

    def rules_of(self, project: str) -> ProjectRules:
        if project not in self.rules:
            raise NotFoundError(f"There is no project {project!r}.")
        return self.rules[project]

    def set_rules(self, **changes: object) -> None:
        self.rules[PROJECT] = replace(self.rules[PROJECT], **changes)  # type: ignore[arg-type]

    def wrote(
        self,
        name: str,
        content: bytes,
        run_id: str = "run-1",
        declaration: dict[str, object] | None = None,
    ) -> Output:
        """What a step does: write a file and register it."""
        path = f"outputs/{run_id}/{name}"
        place = self.folder / "artifacts" / PROJECT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return self.outputs.register_output(PROJECT, run_id, "make_table", path, declaration)

    def launched(self, run_id: str, by: str, digest: str) -> None:
        with self.governance.transaction() as work:
            work.runs.add_submission(
                RunSubmission(run_id, PROJECT, by, digest, "0" * 64, (), self.clock.now())
            )

    def entries(self, action: str | None = None) -> list[Entry]:
        with self.governance.transaction() as work:
            return [entry for entry in work.audit.entries() if action in (None, entry.action)]
