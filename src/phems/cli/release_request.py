"""`phems release request` and `submit`: what is asked for, in groups, and how far the node is with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, session
from phems.cli.release_session import Id, done, opened
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.services.release_asks import AskedGroup
    from phems.services.release_summaries import ReleaseSummary

_HELP = "phems release request --help"
Texts = list[str] | None


def register(app: typer.Typer) -> None:
    """Add the commands to `phems release`."""
    app.command("request")(request)
    app.command("submit")(submit)


def request(
    project: Annotated[str | None, typer.Option("--project", "-p", help="The project.")] = None,
    run: Annotated[str | None, typer.Option(help="The run whose outputs are asked for.")] = None,
    context: Annotated[Texts, typer.Option(help="What the files are, for the checkers.")] = None,
    controls: Annotated[Texts, typer.Option(help="How disclosure of single patients was avoided.")] = None,
    group: Annotated[
        Texts,
        typer.Option(metavar="NAME", help="A file group; repeat it, each with its --context and --controls."),
    ] = None,
    file: Annotated[
        Texts,
        typer.Option(
            "--file", "-f", metavar="[GROUP:]NAME", help="An output to release; all of the run without it."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME/VERSION", help="A registered model to release, in place of files."),
    ] = None,
    supporting: Annotated[
        Texts,
        typer.Option(metavar="[GROUP:]NAME", help="An output to show to the checkers; never released."),
    ] = None,
    code: Annotated[
        Texts,
        typer.Option(metavar="[GROUP:]PATH", help="A file of the run's code to show; never released."),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Read the groups from this YAML or JSON file."),
    ] = None,
    again: Annotated[
        str | None, typer.Option(metavar="REQUEST", help="A returned request, to ask again in a new turn.")
    ] = None,
) -> None:
    """Ask that outputs of a run leave the node: they are frozen, checked, and handed to the checkers.

    A FILE has `run` and `groups`; each group has `name`, `context`, `controls`, and lists `files`,
    `supporting` and `code`, or a `model` in place of `files`.
    """
    if (project is None) == (again is None):
        raise InputError(
            "Say either --project or --again.",
            why="a new request belongs to a project; one that was returned has its project already.",
            remedy=_HELP,
        )
    typed = (group, context, controls, file, supporting, code)
    if from_ is not None and (any(typed) or model):
        raise InputError(
            "--from stands alone.",
            why="the file has the groups, their texts and their files.",
            remedy="Write all of it into the file, or leave --from out.",
        )
    asked = _read(from_, run) if from_ is not None else _groups(run, model, *typed)
    with opened() as (releases, actor):
        if again is not None:
            view = releases.resubmit(actor, again, asked, _tell)
        else:
            view = releases.request(actor, project or "", asked, _tell)
    _say(view, "Requested")


def submit(id_: Id) -> None:
    """Have the files of a PENDING request checked, and hand it to the checkers.

    A request stays PENDING when the output checks could not be run, or the node stopped meanwhile.
    """
    with opened() as (releases, actor):
        view = releases.submit(actor, id_, _tell)
    _say(view, "Submitted")


def _say(view: ReleaseSummary, word: str) -> None:
    name, files = view.id, len(view.files)
    findings = [*view.findings, *(finding for file in view.files for finding in file.findings)]
    failed = sum(finding.verdict == "fail" for finding in findings)
    checks = f" {failed} output checks failed." if failed else ""
    done(view, f"{word} {name}, {files} files.{checks} To review: phems release show {name}")


def _tell(line: str) -> None:
    """How far it is: on standard error, for people alone."""
    if not session.current().json:
        print(output.visible(line) + " ...", file=sys.stderr, flush=True)


def _read(place: Path, run: str | None) -> tuple[AskedGroup, ...]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from phems.services.release_asks import asked_groups

    remedy = f"Name a YAML or JSON file with groups: {_HELP}"
    try:
        plain = YAML(typ="safe").load(place.read_text(encoding="utf-8"))  # JSON is YAML
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{place} cannot be read.", why=str(error), remedy=remedy) from error
    except YAMLError as error:
        raise InputError(f"{place} is neither YAML nor JSON.", why=str(error), remedy=remedy) from error
    if run is not None and isinstance(plain, dict):
        plain = {**plain, "run": run}
    return asked_groups(plain)


def _groups(
    run: str | None, model: str | None, group: Texts, context: Texts, controls: Texts, *files: Texts
) -> tuple[AskedGroup, ...]:
    """The groups as typed: the first --context and --controls belong to the first --group, and so on."""
    from phems.services.release_asks import AskedGroup, Case, Choice

    names = group or ["default"]
    contexts, control_texts = context or [], controls or []
    if not len(names) == len(contexts) == len(control_texts):
        raise InputError(
            "Each file group needs one --context and one --controls.",
            why=f"there are {len(names)} groups, {len(contexts)} contexts and {len(control_texts)} controls.",
            remedy=_HELP,
        )
    outputs, supporting, code = (_by_group(each or [], names) for each in files)
    return tuple(
        AskedGroup(
            Case(told, avoided),
            Choice(run, tuple(outputs[name]), model),
            name=name,
            supporting=tuple(supporting[name]),
            code=tuple(code[name]),
        )
        for name, told, avoided in zip(names, contexts, control_texts, strict=True)
    )


def _by_group(words: list[str], names: list[str]) -> dict[str, list[str]]:
    """Files by their group: `GROUP:NAME`, or the name alone where there is one group."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for word in words:
        prefix, colon, rest = word.partition(":")
        if colon and prefix in found:
            found[prefix].append(rest)
        elif len(names) == 1:
            found[names[0]].append(word)
        else:
            raise InputError(
                f"The group of the file {word!r} is not said.",
                why=f"there are several groups: {', '.join(names)}.",
                remedy=f"Write it as {names[0]}:{word}",
            )
    return found
