"""Freezing outputs into a release request: chosen, checked, copied and hashed in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from phems.domain.file_contents import ContentScan, TypeRule
from phems.domain.outputs import Output, name_of
from phems.domain.releases import FrozenFile, RunOrigin
from phems.errors import InputError, IntegrityError, NotFoundError
from phems.services.ports import Governance, Transaction
from phems.services.ports.artifacts import ArtifactAreas, FrozenFiles, FrozenWriter

_MOST_FILES = 500


@dataclass(frozen=True)
class Choice:
    """Outputs to release: all of a run, or those of its files that are named; or files by full path."""

    run_id: str | None = None
    files: tuple[str, ...] = ()


class Freezer:
    """Turns a choice of outputs into frozen files."""

    def __init__(
        self,
        governance: Governance,
        artifacts: ArtifactAreas,
        frozen: FrozenFiles,
    ) -> None:
        self._governance = governance
        self._artifacts = artifacts
        self._frozen = frozen

    def chosen(self, project: str, choice: Choice) -> tuple[Sequence[Output], tuple[RunOrigin, ...]]:
        """The outputs that a choice names, and where their runs come from."""
        with self._governance.transaction() as work:
            outputs = _of_run(work, project, choice) if choice.run_id else _of_paths(work, project, choice)
            if len(outputs) > _MOST_FILES:
                raise InputError(
                    f"A release request of {len(outputs):,} files cannot be made.",
                    why=f"people review each file; a request holds at most {_MOST_FILES}.",
                    remedy="Name the files that are needed with --file.",
                )
            runs = sorted({output.run_id for output in outputs})
            return outputs, tuple(origin_of(work, project, run_id) for run_id in runs)

    def freeze(
        self, request_id: str, turn: int, outputs: Sequence[Output], rule: TypeRule
    ) -> tuple[FrozenFile, ...]:
        """Copy the outputs out of reach of project code: all of them or none.

        Raises `RefusedError` for a file that the policy does not let out, `IntegrityError` for one that
        is no longer what its run registered.
        """
        for output in outputs:
            rule.check_name_and_size(output.path, output.size)
        with self._frozen.freeze(request_id, turn) as writer:
            for output in outputs:
                self._copy(writer, output, rule)
        return tuple(
            FrozenFile(
                path=output.path,
                sha256=output.sha256,
                size=output.size,
                media_type=output.media_type,
                run_id=output.run_id,
                step_key=output.step_key,
                declaration=output.declaration,
            )
            for output in outputs
        )

    def discard(self, request_id: str, turn: int) -> None:
        """Remove what was frozen for a request that did not come about."""
        self._frozen.discard(request_id, turn)

    def _copy(self, writer: FrozenWriter, output: Output, rule: TypeRule) -> None:
        hasher, scan = hashlib.sha256(), ContentScan(output.path)

        def watched() -> Iterator[bytes]:
            for chunk in self._artifacts.chunks(output.project, output.path, limit=rule.max_file_size):
                hasher.update(chunk)
                scan.feed(chunk)
                yield chunk

        writer.write(output.path, watched())
        if hasher.hexdigest() != output.sha256:
            raise IntegrityError(
                f"The output {output.path!r} is not the one that its run registered.",
                why=f"its SHA-256 is {hasher.hexdigest()}; registered was {output.sha256}.",
                remedy="Run the step that writes it again, and request the new output.",
            )
        rule.check_content(output.path, scan)


def origin_of(work: Transaction, project: str, run_id: str) -> RunOrigin:
    """Who launched a run, and what code it ran, as far as the node has it on record."""
    submission, admission = work.runs.submission(run_id), work.runs.admission(run_id)
    known = admission or submission
    if known is None or known.project != project:
        return RunOrigin(run_id)
    revisions = work.code_revisions.of_project(project)
    commits = [revision.commit for revision in revisions if revision.digest == known.code_digest]
    return RunOrigin(
        run_id,
        launched_by=submission.requester if submission else None,
        commit=commits[0] if commits else None,
        digest=known.code_digest,
        capsule=admission.capsule if admission else None,
    )


def _of_run(work: Transaction, project: str, choice: Choice) -> Sequence[Output]:
    run_id = choice.run_id or ""
    outputs = work.outputs.of_run(project, run_id)
    if not outputs:
        raise NotFoundError(
            f"The run {run_id} of {project} has no outputs.",
            why="no step of it wrote a file with phems.project's `outputs`, or there is no such run.",
            remedy=f"phems run list --project {project}",
        )
    known = {name_of(output.path): output for output in outputs} | {output.path: output for output in outputs}
    if not choice.files:
        return outputs
    missing = [name for name in choice.files if name not in known]
    if missing:
        raise NotFoundError(
            f"The run {run_id} has no output {missing[0]!r}.",
            why=f"its outputs are: {', '.join(name_of(output.path) for output in outputs)}.",
            remedy="Name one of these with --file.",
        )
    return list({known[name].path: known[name] for name in choice.files}.values())


def _of_paths(work: Transaction, project: str, choice: Choice) -> Sequence[Output]:
    if not choice.files:
        raise InputError(
            "The release request names no outputs.",
            why="a request holds files of runs.",
            remedy=f"phems release request --project {project} --run RUN [--file NAME ...]",
        )
    found: dict[str, Output] = {}
    for path in choice.files:
        output = work.outputs.find(project, path)
        if output is None:
            raise NotFoundError(
                f"{project} has no output {path!r}.",
                why="no run registered a file under this path.",
                remedy="Name the run as well: "
                f"phems release request --project {project} --run RUN --file {path}",
            )
        found[path] = output
    return list(found.values())
