"""The files of a request's groups: found among the outputs of runs and their code, and frozen as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from phems.domain.file_contents import TypeRule
from phems.domain.outputs import Output
from phems.domain.releases import FileGroup, FileKind, FrozenFile, RunOrigin
from phems.errors import InputError, NotFoundError
from phems.services.ports import Transaction
from phems.services.release_asks import AskedGroup, Choice, file_groups
from phems.services.release_files import CodeFile, Freezer, check_number, origins_of, outputs_of


@dataclass(frozen=True)
class Picked:
    """What was asked for, found: each output with its group and kind, each code file with its group."""

    groups: tuple[FileGroup, ...]
    outputs: tuple[tuple[Output, str, FileKind], ...]
    code: tuple[tuple[CodeFile, str], ...]
    runs: tuple[RunOrigin, ...]

    def freeze(self, freezer: Freezer, request_id: str, turn: int, rule: TypeRule) -> tuple[FrozenFile, ...]:
        """Freeze all of it, or nothing; see `Freezer.freeze` for what is refused."""
        outputs, code = [found[0] for found in self.outputs], [found[0] for found in self.code]
        files = freezer.freeze(request_id, turn, outputs, rule, code)
        places = {output.path: (group, kind) for output, group, kind in self.outputs}
        places |= {file.frozen_path: (group, FileKind.CODE) for file, group in self.code}
        return tuple(
            replace(file, group=places[file.path][0], kind=places[file.path][1])
            for file in sorted(files, key=lambda file: file.path)
        )


def picked(work: Transaction, project: str, groups: Sequence[AskedGroup]) -> Picked:
    """Find the files of the groups; raises `InputError` for one that two groups claim."""
    named = file_groups(groups)
    outputs = list(_outputs(work, project, groups))
    runs = origins_of(work, project, [output for output, _, _ in outputs])
    code = [(file, group.name) for group in groups for file in _code(project, group, outputs, runs)]
    _check_once([output.path for output, _, _ in outputs] + [file.frozen_path for file, _ in code])
    check_number(len(outputs) + len(code))
    if not any(kind is FileKind.OUTPUT for _, _, kind in outputs):
        raise InputError(
            "The release request names no outputs to release.",
            why="supporting and code files are shown to the checkers, and never released.",
            remedy="Name an output with --file.",
        )
    return Picked(named, tuple(outputs), tuple(code), runs)


def _outputs(
    work: Transaction, project: str, groups: Sequence[AskedGroup]
) -> Iterator[tuple[Output, str, FileKind]]:
    supporting = {group.name: _supporting(work, project, group) for group in groups}
    explicit = {
        group.name: outputs_of(work, project, group.outputs) for group in groups if group.outputs.files
    }
    taken = {output.path for found in (*supporting.values(), *explicit.values()) for output in found}
    for group in groups:
        found = explicit.get(group.name)
        if found is None:
            every = outputs_of(work, project, group.outputs)
            found = [output for output in every if output.path not in taken]
        yield from ((output, group.name, FileKind.OUTPUT) for output in found)
        yield from ((output, group.name, FileKind.SUPPORTING) for output in supporting[group.name])


def _supporting(work: Transaction, project: str, group: AskedGroup) -> Sequence[Output]:
    if not group.supporting:
        return ()
    return outputs_of(work, project, Choice(group.outputs.run_id, group.supporting))


def _code(
    project: str,
    group: AskedGroup,
    outputs: Sequence[tuple[Output, str, FileKind]],
    runs: Sequence[RunOrigin],
) -> Iterator[CodeFile]:
    """The code that a group shows: of the first of its runs whose code revision is on record."""
    if not group.code:
        return
    own = {output.run_id for output, name, _ in outputs if name == group.name}
    for run in runs:
        if run.run_id in own and run.digest is not None:
            yield from (CodeFile(project, run.digest, path, run.run_id) for path in group.code)
            return
    raise NotFoundError(
        f"The code of the file group {group.name!r} cannot be shown.",
        why="no code revision is on record for its runs.",
        remedy="Leave its code files out.",
    )


def _check_once(paths: Sequence[str]) -> None:
    double = next((path for path in paths if paths.count(path) > 1), None)
    if double is not None:
        raise InputError(
            f"The file {double!r} is in the release request twice.",
            why="each file has one place: it is released with its group, or shown in support of one.",
            remedy="Name it once.",
        )
