"""`phems status`: what the running node does now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from phems.cli import output, session
from phems.cli.node import opened_folder
from phems.cli.node_loading import refuse_failed, when_loaded

app = typer.Typer()


@app.command()
def status(
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the node runs and the code of each project has loaded.")
    ] = False,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Of what to wait for: this project alone.")
    ] = None,
    within: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="For how long to wait at the longest.")
    ] = 120.0,
) -> None:
    """Show the running node: address, sandbox, hosts, queues.

    Exit code 5 when it does not run; with --wait also when the code of a project does not load.
    """
    with opened_folder() as node:
        found = when_loaded(node.status, project, within=within) if wait else node.status()
    _show(found)
    if wait:
        refuse_failed(found, project)


def _show(found: Mapping[str, Any]) -> None:
    if session.current().json:
        output.print_json(found)
        return
    output.show_fields(
        {name: found[name] for name in ("url", "pid", "sandbox", "runs")}, ["url", "pid", "sandbox", "runs"]
    )
    for warning in found.get("warnings", ()):
        output.warn(warning)
    output.say("")
    output.show_rows(
        [_host(host, found) for host in found["hosts"]],
        ["project", "state", "code", "pid", "steps", "waiting", "lag", "restarts", "load_seconds"],
        empty="No project has approved code yet: phems code submit, phems code approve",
    )
    if found.get("workers"):
        output.say("")
        output.show_rows(
            found["workers"], ["id", "pool", "project", "host", "pid", "running", "concurrency"], empty=""
        )
    for host in found["hosts"]:
        if host["error"]:
            output.say(f"\n{host['project']} does not run: {host['error']}")


def _host(host: dict[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    depth = found["queues"].get(host["project"], {})
    return {
        "project": host["project"],
        "state": host["state"] if host["is_current"] else f"{host['state']} (old)",
        "code": host["code_digest"][:12],
        "pid": host["pid"],
        "steps": depth.get("running", host["running_steps"]),
        "waiting": depth.get("waiting", 0),
        "lag": found["lag"].get(host["project"]),
        "restarts": host["restarts"],
        "load_seconds": host["load_seconds"] and round(host["load_seconds"], 1),
    }
