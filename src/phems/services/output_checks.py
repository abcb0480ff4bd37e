"""Having a request's files checked: what the checks are told, and a rehearsal for the author.

The checks see the frozen bytes, never the artifact area: what is checked is what is reviewed and
released. They see the outputs of every earlier request of the project too, for what one table keeps
back another may give away.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from phems.domain.actors import Actor
from phems.domain.file_contents import TypeRule
from phems.domain.output_checks import CheckedFile, CheckOrder, CheckReport
from phems.domain.outputs import name_of
from phems.domain.releases import FileKind, FrozenFile
from phems.errors import UnavailableError
from phems.services.ports import Governance, Transaction
from phems.services.ports.artifacts import ArtifactAreas, FrozenFiles
from phems.services.ports.output_checks import OutputCheckRunner
from phems.services.project_access import ProjectAccess, ProjectRules
from phems.services.release_files import Choice, Freezer

# A request that is being made; it is in no store yet.
NEW = "PENDING"


class OutputChecks:
    """The use cases of output checks."""

    def __init__(
        self,
        governance: Governance,
        artifacts: ArtifactAreas,
        frozen: FrozenFiles,
        runner: OutputCheckRunner,
        access: ProjectAccess,
    ) -> None:
        self._governance = governance
        self._freezer = Freezer(governance, artifacts, frozen)
        self._frozen = frozen
        self._runner = runner
        self._access = access

    def report(
        self, project: str, request_id: str, turn: int, files: Sequence[FrozenFile], rules: ProjectRules
    ) -> CheckReport:
        """What the checks find about the frozen files of one turn. Takes as long as it takes: no transaction.

        Raises `UnavailableError` when the checks cannot be run as the policy wants them run.
        """
        if rules.needs_sandbox and not self._runner.is_isolating:
            raise UnavailableError(
                "The files of the release request cannot be checked.",
                why=f"the policy '{rules.policy}' requires a sandbox, and there is none: "
                f"{self._runner.describe()}.",
                remedy="As root: apt-get install bubblewrap",
            )
        with self._governance.transaction() as work:
            history = tuple(self._history(work, project, request_id, turn))
            policy_version = work.policies.current(project).label
        order = CheckOrder(
            project=project,
            request_id=request_id,
            turn=turn,
            files=self._of_kind(FileKind.OUTPUT, files, request_id, turn),
            supporting=self._of_kind(FileKind.SUPPORTING, files, request_id, turn),
            history=history,
            policy={
                "name": rules.policy,
                "file_types": list(rules.file_types),
                "max_file_size": rules.max_file_size,
                "thresholds": dict(rules.thresholds),
                "checks": dict(rules.checks),
            },
        )
        report = self._runner.run(order)
        return CheckReport(report.findings, {**report.tools, "policy": f"{rules.policy} {policy_version}"})

    def rehearse(self, actor: Actor, project: str, choice: Choice) -> CheckReport:
        """What the checks would find if these outputs were asked for now. Nothing is kept."""
        rules = self._access.check(actor, "release.request", project)
        outputs, _ = self._freezer.chosen(project, choice)
        name = f"rehearsal-{secrets.token_hex(8)}"
        rule = TypeRule(rules.policy, rules.file_types, rules.max_file_size)
        try:
            files = self._freezer.freeze(name, 1, outputs, rule)
            return self.report(project, name, 1, files, rules)
        finally:
            self._freezer.discard(name, 1)

    def _history(self, work: Transaction, project: str, request_id: str, turn: int) -> Iterator[CheckedFile]:
        """Every output that was ever asked for, whatever became of it: somebody may have seen it."""
        for request in reversed(work.releases.of_project(project)):
            for earlier in range(1, request.turn + 1):
                if (request.id, earlier) == (request_id, turn):
                    continue
                for file in work.releases.files_of_turn(request.id, earlier):
                    if file.kind is FileKind.OUTPUT:
                        yield self._checked(file, request.id, earlier, request.state.value)

    def _of_kind(
        self, kind: FileKind, files: Sequence[FrozenFile], request_id: str, turn: int
    ) -> tuple[CheckedFile, ...]:
        return tuple(self._checked(file, request_id, turn, NEW) for file in files if file.kind is kind)

    def _checked(self, file: FrozenFile, request_id: str, turn: int, state: str) -> CheckedFile:
        return CheckedFile(
            path=file.path,
            name=name_of(file.path),
            request_id=request_id,
            state=state,
            turn=turn,
            sha256=file.sha256,
            size=file.size,
            media_type=file.media_type,
            run_id=file.run_id,
            place=self._frozen.folder(request_id, turn) / file.path,
            declaration=file.declaration,
        )
