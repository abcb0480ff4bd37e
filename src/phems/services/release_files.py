"""Freezing outputs into a release request: chosen, checked, copied and hashed in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from phems.domain.file_contents import ContentScan, TypeRule
from phems.domain.outputs import Output, is_of_model, media_type_of, name_of
from phems.domain.releases import FileKind, FrozenFile, RunOrigin
from phems.errors import InputError, IntegrityError, NotFoundError, RefusedError
from phems.services.ports import Governance, Transaction
from phems.services.ports.artifacts import ArtifactAreas, FrozenFiles, FrozenWriter
from phems.services.release_asks import Choice
from phems.services.watched_chunks import watched

__all__ = ["Choice", "CodeFile", "Freezer", "origin_of"]

_MOST_FILES = 500
_CODE_FOLDER = "code"


@dataclass(frozen=True)
class CodeFile:
    """A file of the code revision that a run ran, for the checkers to read. `path` is as in the Code Repo."""

    project: str
    digest: str
    path: str
    run_id: str

    @property
    def frozen_path(self) -> str:
        """Where it lies among the frozen files."""
        return f"{_CODE_FOLDER}/{self.digest}/{self.path}"


class Freezer:
    """Turns a choice of outputs into frozen files; `code` reads the Code Mount, a folder for each digest."""

    def __init__(
        self,
        governance: Governance,
        artifacts: ArtifactAreas,
        frozen: FrozenFiles,
        code: ArtifactAreas | None = None,
    ) -> None:
        self._governance = governance
        self._artifacts = artifacts
        self._frozen = frozen
        self._code = code

    def chosen(self, project: str, choice: Choice) -> tuple[Sequence[Output], tuple[RunOrigin, ...]]:
        """The outputs that a choice names, and where their runs come from."""
        with self._governance.transaction() as work:
            outputs = outputs_of(work, project, choice)
            check_number(len(outputs))
            return outputs, origins_of(work, project, outputs)

    def freeze(
        self,
        request_id: str,
        turn: int,
        outputs: Sequence[Output],
        rule: TypeRule,
        code: Sequence[CodeFile] = (),
    ) -> tuple[FrozenFile, ...]:
        """Copy the outputs, and files of the code, out of reach of project code: all of them or none.

        Raises `RefusedError` for an output that the policy does not let out, `IntegrityError` for one that
        is no longer what its run registered. The policy rules what leaves; code does not.
        """
        for output in outputs:
            with _logged_by_digest(output):
                rule.check_name_and_size(output.path, output.size)
        with self._frozen.freeze(request_id, turn) as writer:
            for output in outputs:
                with _logged_by_digest(output):
                    self._copy(writer, output, rule)
            read = tuple(self._copy_code(writer, file, rule.max_file_size) for file in code)
        frozen = (
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
        return (*frozen, *read)

    def discard(self, request_id: str, turn: int) -> None:
        """Remove what was frozen for a request that did not come about."""
        self._frozen.discard(request_id, turn)

    def _copy(self, writer: FrozenWriter, output: Output, rule: TypeRule) -> None:
        hasher, scan = hashlib.sha256(), ContentScan(output.path)

        def look(chunk: bytes) -> None:
            hasher.update(chunk)
            scan.feed(chunk)

        chunks = self._artifacts.chunks(output.project, output.path, limit=rule.max_file_size)
        writer.write(output.path, watched(chunks, look))
        if hasher.hexdigest() != output.sha256:
            raise IntegrityError(
                f"The output {output.path!r} is not the one that its run registered.",
                why=f"its SHA-256 is {hasher.hexdigest()}; registered was {output.sha256}.",
                remedy="Run the step that writes it again, and request the new output.",
            )
        rule.check_content(output.path, scan)

    def _copy_code(self, writer: FrozenWriter, file: CodeFile, limit: int) -> FrozenFile:
        hasher, size = hashlib.sha256(), 0

        def watched() -> Iterator[bytes]:
            nonlocal size
            if self._code is None:
                raise InputError("There is no Code Mount here to read code from.", remedy="Leave it out.")
            for chunk in self._code.chunks(file.project, f"{file.digest}/{file.path}", limit=limit):
                hasher.update(chunk)
                size += len(chunk)
                yield chunk

        try:
            writer.write(file.frozen_path, watched())
        except InputError as error:
            raise NotFoundError(
                f"The code revision {file.digest[:12]} has no file {file.path!r} to show.",
                why=error.why or error.what,
                remedy=f"Name one of its files: phems code show --project {file.project}",
            ) from error
        return FrozenFile(
            path=file.frozen_path,
            sha256=hasher.hexdigest(),
            size=size,
            media_type=media_type_of(file.path),
            run_id=file.run_id,
            step_key="",
            kind=FileKind.CODE,
        )


@contextmanager
def _logged_by_digest(output: Output) -> Iterator[None]:
    """Name the file of a refusal by its digest in the audit log: its name comes from project code."""
    try:
        yield
    except (RefusedError, IntegrityError) as error:
        error.logged = f"The file with the SHA-256 {output.sha256} was refused ({type(error).__name__})."
        raise


def outputs_of(work: Transaction, project: str, choice: Choice) -> Sequence[Output]:
    """The outputs that a choice names; raises `NotFoundError` for one that is not there."""
    if choice.model is not None:
        return _of_model(work, project, choice, choice.model)
    return _of_run(work, project, choice) if choice.run_id else _of_paths(work, project, choice)


def check_number(files: int) -> None:
    """Raise `InputError` for more files than people can review."""
    if files > _MOST_FILES:
        raise InputError(
            f"A release request of {files:,} files cannot be made.",
            why=f"people review each file; a request holds at most {_MOST_FILES}.",
            remedy="Name the files that are needed with --file.",
        )


def origins_of(work: Transaction, project: str, outputs: Sequence[Output]) -> tuple[RunOrigin, ...]:
    """Where the runs of outputs come from."""
    return tuple(origin_of(work, project, run) for run in sorted({output.run_id for output in outputs}))


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


def _of_model(work: Transaction, project: str, choice: Choice, model: str) -> Sequence[Output]:
    """The files of a model's version: by what the node has on record of runs, not by what MLflow says."""
    if choice.files:
        raise InputError(
            "A model and single files are asked for at once.",
            why="a model leaves with all of its files.",
            remedy="Say either --model, or --run and --file.",
        )
    every = work.outputs.of_run(project, choice.run_id) if choice.run_id else work.outputs.of_project(project)
    found = [output for output in every if is_of_model(output.path, model)]
    if not found:
        raise NotFoundError(
            f"{project} has no model {model!r} to release.",
            why="no run wrote files of it with `MlflowRun.register`; what is in MLflow alone does not leave.",
            remedy="Name it as NAME/VERSION, and register it with its files (safetensors, ONNX or JSON).",
        )
    runs = sorted({output.run_id for output in found})
    if len(runs) > 1:
        raise InputError(
            f"Several runs wrote files of the model {model!r}.",
            why=f"they are {', '.join(runs)}; MLflow gives each version once.",
            remedy=f"Say which one: phems release request --run {runs[0]} --model {model}",
        )
    return found


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
