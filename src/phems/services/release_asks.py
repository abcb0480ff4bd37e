"""What an author asks for: groups of files, each with its context and controls.

`asked_groups` reads them from plain data, as a YAML or JSON file or the body of a request has them:

    run: RUN                            # of every group that names none
    groups:
      - name: survival
        context: Kaplan-Meier estimates by sex
        controls: Numbers at risk are rounded to tens
        files: [km.csv]                 # all outputs of the run that no group names, if left out
        supporting: [counts.csv]        # shown to the checkers, never released
        code: [src/heart/survival.py]   # of the run's code revision; shown, never released
        model: risk/3                   # in place of files: those of a registered model's version
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phems.domain.releases import FileGroup
from phems.errors import InputError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LISTS = ("files", "supporting", "code")
_TEXTS = ("name", "context", "controls", "run", "model")
_REMEDY = "Write it as `phems release request --help` shows."


@dataclass(frozen=True)
class Choice:
    """Outputs to release: all of a run, or those of its files that are named; or files by full path.

    Or those of a registered model's version, `NAME/VERSION`; with a run, as that run wrote them.
    """

    run_id: str | None = None
    files: tuple[str, ...] = ()
    model: str | None = None


@dataclass(frozen=True)
class Case:
    """What the author tells the checkers: what the files are, and how disclosure was avoided."""

    context: str
    controls: str


@dataclass(frozen=True)
class AskedGroup:
    """One file group as it is asked for. Supporting and code files are shown to checkers, never released."""

    case: Case
    outputs: Choice = field(default_factory=Choice)
    name: str = "default"
    supporting: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    def file_group(self) -> FileGroup:
        """The group as the request keeps it; raises `InputError` when something is missing."""
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"The file group {self.name!r} cannot be named so.",
                why="a name has up to 63 lower-case letters, digits, dots, hyphens and underscores.",
                remedy='Choose another: --group NAME --context "..." --controls "..."',
            )
        for name, value in (("context", self.case.context), ("controls", self.case.controls)):
            if not value.strip():
                raise InputError(
                    f"The release request has no {name}.",
                    why="checkers need to know what the files are (context), and how disclosure was avoided "
                    "(controls).",
                    remedy=f'Add --{name} "..."',
                )
        return FileGroup(self.name, self.case.context.strip(), self.case.controls.strip())


def file_groups(groups: Sequence[AskedGroup]) -> tuple[FileGroup, ...]:
    """The groups as a request keeps them; raises `InputError` when one is unfit, or two have one name."""
    names = [group.name for group in groups]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None or not groups:
        raise InputError(
            f"Two file groups are called {double!r}."
            if groups
            else "The release request has no file groups.",
            why="comments and files refer to a group by its name." if groups else "a request holds files.",
            remedy="Give each group a name of its own." if groups else _REMEDY,
        )
    return tuple(group.file_group() for group in groups)


def asked_groups(plain: Any) -> tuple[AskedGroup, ...]:
    """The groups of a request from plain data; raises `InputError` naming what does not fit."""
    if not isinstance(plain, Mapping) or not isinstance(plain.get("groups"), list):
        raise _unfit("it has no list of `groups`")
    _check_keys(plain, {"run", "groups"}, "the request")
    run = plain.get("run")
    return tuple(_asked_group(group, f"groups[{index}]", run) for index, group in enumerate(plain["groups"]))


def _asked_group(plain: Any, where: str, run: Any) -> AskedGroup:
    if not isinstance(plain, Mapping):
        raise _unfit(f"{where} is not a mapping")
    _check_keys(plain, {*_TEXTS, *_LISTS}, where)
    texts = {name: plain.get(name) for name in _TEXTS}
    texts["run"] = texts["run"] if texts["run"] is not None else run
    for name, text in texts.items():
        if not isinstance(text, str | None):
            raise _unfit(f"{where}.{name} is not a text")
    lists = {name: plain.get(name, []) for name in _LISTS}
    for name, names in lists.items():
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise _unfit(f"{where}.{name} is not a list of texts")
    return AskedGroup(
        Case(texts["context"] or "", texts["controls"] or ""),
        Choice(texts["run"], tuple(lists["files"]), texts["model"]),
        name=texts["name"] or "default",
        supporting=tuple(lists["supporting"]),
        code=tuple(lists["code"]),
    )


def _check_keys(plain: Mapping[Any, Any], known: set[str], where: str) -> None:
    unknown = [str(key) for key in plain if key not in known]
    if unknown:
        raise _unfit(f"{where} has {unknown[0]!r}; known are {', '.join(sorted(known))}")


def _unfit(why: str) -> InputError:
    return InputError("The file groups of the release request cannot be read.", why=f"{why}.", remedy=_REMEDY)
