"""`phems render`: files for other systems, made from node.yaml; Secrets also from a secret that it names."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from phems.adapters.durable_files import replace
from phems.cli import output, session
from phems.errors import InputError

app = typer.Typer(help="Files for other systems, from node.yaml.")

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Write the files there. Default: print them."),
]

Concurrency = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="Steps of one project at once in a worker. Default: of node.yaml."),
]
Drain = Annotated[
    int,
    typer.Option(min=1, metavar="SECONDS", help="How long a worker that is stopped may finish its steps."),
]


@app.command()
def systemd(
    user: Annotated[str, typer.Option(metavar="NAME", help="The account that the node runs as.")] = "phems",
    program: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The absolute path of phems there. Default: of this one."),
    ] = None,
    concurrency: Concurrency = None,
    drain: Drain = 3600,
    out: Out = None,
) -> None:
    """Hardened units: the control process, a template for pools of workers, a target over all.

    Besides, the account and the folders that they need, for systemd-sysusers and systemd-tmpfiles.
    """
    from phems.render.systemd import Installation, systemd_files

    spec, paths = session.load_node()
    installed = Installation(
        program=str(program if program is not None else _this_program()),
        user=user,
        concurrency=concurrency,
        drain_seconds=drain,
    )
    if not Path(installed.program).is_absolute():
        raise InputError(
            f"{program} is not an absolute path.",
            why="a unit does not know which folder you are in.",
            remedy="phems render systemd --program /opt/phems/bin/phems",
        )
    _give(systemd_files(spec, paths, installed), out)


@app.command()
def compose(
    concurrency: Concurrency = None,
    drain: Drain = 3600,
    out: Out = None,
) -> None:
    """A compose file: Postgres, RabbitMQ, an S3-compatible server, the control process, the workers."""
    from phems import __version__
    from phems.render.compose import Composition, compose_text

    spec, _ = session.load_node()
    wanted = Composition(__version__, concurrency, drain)
    _give({"compose.yaml": compose_text(spec, wanted)}, out)


@app.command()
def manifests(out: Out = None) -> None:
    """The namespace of each project on a cluster: walls, limits, and what the node's workers may do there."""
    from phems.render.project_objects import project_files

    spec, _ = session.load_node()
    _give(project_files(spec), out)


@app.command("host-secrets")
def host_secrets(out: Out = None) -> None:
    """The Secret of each project's host, to apply or to seal: the key that its pod is known by."""
    from phems.bootstrap.host_pods import host_secrets as secrets_of

    _give(secrets_of(*session.load_node()), out, mode=0o600)


@app.command()
def helm(
    out: Out = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The operator's values, laid over these: check that they fit."),
    ] = None,
) -> None:
    """The values of the chart phems-node: what node.yaml says, worked out for it."""
    from phems.render.chart_values import chart_values, values_text
    from phems.render.operator_values import check_operator_values

    spec, paths = session.load_node()
    values = chart_values(spec, paths.spec.read_text(encoding="utf-8"))
    if check is not None:
        check_operator_values(values, _read(check), file=str(check))
    _give({"values.yaml": values_text(values)}, out)


@app.command()
def gitops(out: Out = None) -> None:
    """What Argo CD delivers the node by: its rights, where it begins, the Node and Code Pipelines."""
    from phems.render.gitops import gitops_files

    spec, _ = session.load_node()
    _give(gitops_files(spec), out)


@app.command()
def monitoring(out: Out = None) -> None:
    """What Prometheus scrapes and is to warn of, and a dashboard for Grafana."""
    from phems.render.monitoring import monitoring_files

    spec, _ = session.load_node()
    _give(monitoring_files(spec), out)


def _this_program() -> Path:
    found = shutil.which(sys.argv[0])
    return Path(found).absolute() if found else Path(sys.executable).with_name("phems")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} cannot be read.", why=str(error), remedy="phems render helm --check chart/operator.yaml"
        ) from error


def _give(files: Mapping[str, str], out: Path | None, mode: int = 0o644) -> None:
    if out is None:
        if session.current().json:
            output.print_json(files)
            return
        for name, text in files.items():
            output.say(f"# --- {name}\n{text}")  # a comment, save in JSON
        return
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        replace(out / name, text.encode(), mode=mode)
    written = [str(out / name) for name in files]
    output.done({"files": written}, "\n".join(f"Wrote {name}" for name in written))
