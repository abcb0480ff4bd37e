"""`phems run`: launch runs, look at them, read their logs, cancel them; over the gateway of the node."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phems.cli import output, session
from phems.cli.node import opened
from phems.cli.run_progress import Progress
from phems.cli.run_session import opened_runs
from phems.errors import InputError, NotFoundError, PhemsError, RefusedError

if TYPE_CHECKING:
    from phems.cli.run_answers import Event, Run
    from phems.cli.run_client import RunClient
    from phems.domain.outputs import Output

app = typer.Typer(no_args_is_help=True)

STATUSES = (
    *("QUEUED", "NOT_STARTED", "STARTING", "STARTED"),
    *("SUCCESS", "FAILURE", "CANCELING", "CANCELED"),
)
CANCEL_SECONDS = 15.0

RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="The run, or enough of its first characters.")]


@app.command("launch")
def launch(
    project: Annotated[str, typer.Argument(help="The project.")],
    job: Annotated[str | None, typer.Argument(help="The job; may be left out with --asset.")] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE|JSON", help="The run config: a YAML or JSON file, or JSON.")
    ] = None,
    asset: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Materialize this asset; repeat it for more.")
    ] = None,
    partition: Annotated[str | None, typer.Option(metavar="KEY", help="The partition to run.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Put a tag on the run; may be repeated.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the run's end.")] = True,
) -> None:
    """Launch a run and wait for its end; the exit code is 1 if it fails, 4 if it is refused."""
    from phems.cli.run_client import Request

    request = Request(
        project=project,
        job=job,
        assets=asset or (),
        partition=partition,
        config=_config(config),
        tags=_tags(tag or ()),
    )
    with opened_runs() as runs:
        run = runs.launch(request)
        short = run.id[:8]
        if run.status == "FAILURE":
            raise runs.failure(run)
        if not wait:
            output.done(
                run, f"Launched run {short} of {run.job}. To follow it: phems run logs {short} --follow"
            )
            return
        _wait(runs, run)
        ended, _ = runs.show(run.id)
        _tell_end(runs, ended)


@app.command("list")
def list_(
    project: Annotated[str | None, typer.Option("--project", "-p", help="Of this project alone.")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help=f"With this status; may be repeated: {', '.join(STATUSES).lower()}."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 25,
) -> None:
    """List runs, newest first."""
    statuses = [_status(each) for each in status or ()]
    with opened_runs() as runs:
        rows = runs.runs(project=project, statuses=statuses, limit=limit)
    if session.current().json:
        output.show_rows(rows, [])
        return
    shown = [{**output.to_plain(row), "run": row.id[:8]} for row in rows]
    columns = ["run", "project", "job", "partition", "status", "requester", "created_at", "seconds"]
    output.show_rows(shown, columns, empty="No runs. To launch one: phems run launch PROJECT JOB")


@app.command("show")
def show(run_id: RunId) -> None:
    """Show a run: who asked for it, which code ran, its steps, its outputs, and why it failed."""
    with opened_runs() as runs:
        run, steps = runs.show(runs.full_id(run_id))
        failure = _failure_of(runs, run)
    outputs = _outputs_of(run)
    plain: dict[str, Any] = {
        **output.to_plain(run),
        "reason": None if failure is None else str(failure),
        "steps": output.to_plain(steps),
        "outputs": None if outputs is None else [output.to_plain(each) for each in outputs],
    }
    if session.current().json:
        output.print_json(plain)
        return
    shown = ["id", "project", "job", "partition", "status", "requester", "code_revision", "capsule"]
    shown += ["created_at", "started_at", "ended_at", "seconds"]
    output.show_fields(plain, [*shown, *(["reason"] if failure is not None else [])])
    if steps:
        output.say("")
        output.show_rows(
            [{**output.to_plain(step), "step": step.key, "status": step.status or "-"} for step in steps],
            ["step", "status", "attempts", "seconds"],
        )
    if outputs:
        output.say("")
        rows = [{**output.to_plain(each), "output": each.path, "step": each.step_key} for each in outputs]
        output.show_rows(rows, ["output", "step", "size", "sha256"])


@app.command("logs")
def logs(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    step: Annotated[str | None, typer.Option(help="Of this step alone.")] = None,
    printed: Annotated[
        bool, typer.Option("--printed", help="What the steps printed (stdout, stderr) instead of events.")
    ] = False,
) -> None:
    """Show the events of a run, or what its steps printed."""
    as_json = session.current().json
    kept: list[Event] = []
    with opened_runs() as runs:
        full = runs.full_id(run_id)
        for page in runs.follow(full, until_end=follow):
            news = [event for event in page.events if step in {None, event.step} or event.captured]
            kept += news
            if not as_json and not printed:
                for event in news:
                    if step in {None, event.step}:
                        output.say(_line(event))
        if printed:
            _show_printed(runs, full, kept, step)
        elif as_json:
            output.show_rows([event for event in kept if step in {None, event.step}], [])
    if step is not None and not any(event.step == step for event in kept):
        raise NotFoundError(
            f"The run {full[:8]} has no events of a step {step!r}.", remedy=f"phems run show {full[:8]}"
        )


@app.command("cancel")
def cancel(run_id: RunId) -> None:
    """Cancel a run; its processes are gone when the command ends."""
    import time

    with opened_runs() as runs:
        full = runs.full_id(run_id)
        runs.cancel(full)
        end = time.monotonic() + CANCEL_SECONDS
        run, _ = runs.show(full)
        while not run.has_ended and time.monotonic() < end:
            time.sleep(0.1)
            run, _ = runs.show(full)
    told = "Cancelled" if run.status == "CANCELED" else f"Asked to cancel; it is {run.status} now:"
    output.done(run, f"{told} run {full[:8]}.")


def _wait(runs: RunClient, run: Run) -> None:
    progress = Progress(run)
    try:
        for page in runs.follow(run.id):
            progress.show(page)
    except KeyboardInterrupt:
        progress.close()
        output.warn(f"The run goes on. phems run show {run.id[:8]}; phems run cancel {run.id[:8]}")
        raise
    finally:
        progress.close()


def _tell_end(runs: RunClient, run: Run) -> None:
    short = run.id[:8]
    if run.status == "SUCCESS":
        output.done(run, f"Run {short} of {run.job} succeeded in {run.seconds or 0:.1f} s.")
        return
    if session.current().json:
        output.print_json(run)
    if run.status == "CANCELED":
        raise PhemsError(f"The run {short} of {run.job} was cancelled.", remedy=f"phems run logs {short}")
    raise runs.failure(run)


def _failure_of(runs: RunClient, run: Run) -> PhemsError | None:
    if run.status != "FAILURE":
        return None
    try:
        return runs.failure(run)
    except RefusedError as error:
        # The reason is in the log, which is not for everyone who may see the run.
        return RefusedError("The reason is in the run's log.", why=error.what)


def _outputs_of(run: Run) -> Sequence[Output] | None:
    """What the node has registered as the run's outputs; None when this person may not see them."""
    if run.project is None:
        return None
    try:
        with opened() as (node, actor):
            return node.outputs.list(actor, run.project, run.id)
    except PhemsError:
        return None


def _show_printed(runs: RunClient, run_id: str, events: Sequence[Event], step: str | None) -> None:
    # One capture per attempt: "<step>-<attempt>".
    keys = [event.captured for event in events if event.captured]
    wanted = [key for key in keys if step is None or key.rpartition("-")[0] == step]
    texts = {key: runs.captured(run_id, key) for key in wanted}
    if session.current().json:
        output.print_json({key: {"stdout": out, "stderr": err} for key, (out, err) in texts.items()})
        return
    for key, parts in texts.items():
        for name, text in zip(("stdout", "stderr"), parts, strict=True):
            if text:
                output.say(f"{key} {name}:\n{text.rstrip()}\n")


def _line(event: Event) -> str:
    head = f"{event.at.astimezone():%H:%M:%S.%f}"[:-3]
    what = event.message if event.type == "LOG" else f"{event.type}  {event.message}"
    lines = [f"{head}  {event.level:<8}  {event.step or '-'}  {what}".rstrip()]
    lines += [f"    {line}" for line in event.details.splitlines()]
    return "\n".join(lines)


def _config(text: str | None) -> Any:
    """The run config of --config; None when it was not given."""
    if text is None:
        return None
    if text.lstrip().startswith("{"):
        return _mapping(text, "--config", json.loads)
    file = Path(text)
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The run config {file} cannot be read.", why=str(error), remedy="Name a YAML or JSON file."
        ) from error
    if file.suffix == ".json":
        return _mapping(content, str(file), json.loads)
    from ruamel.yaml import YAML

    return _mapping(content, str(file), YAML(typ="safe", pure=True).load)


def _mapping(text: str, where: str, parse: Any) -> Any:
    from ruamel.yaml.error import YAMLError

    try:
        found = parse(text)
    except (ValueError, YAMLError) as error:
        raise InputError(f"{where} is no run config.", why=str(error)) from error
    if found is not None and not isinstance(found, dict):
        raise InputError(f"{where} is no run config.", why="It is not a mapping, such as {ops: {...}}.")
    return found or {}


def _tags(given: Sequence[str]) -> dict[str, str]:
    tags = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InputError(f"{each!r} is no tag.", why="A tag is NAME=VALUE.", remedy="--tag study=2024")
        tags[name] = value
    return tags


def _status(text: str) -> str:
    name = text.upper()
    if name not in STATUSES:
        raise InputError(f"{text!r} is no run status.", why=f"They are {', '.join(STATUSES).lower()}.")
    return name
