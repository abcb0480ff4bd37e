"""Checks a node spec against this machine: what it names is there, is what it says, and can be used.

`phems.nodespec.check_text` has said that the spec makes sense by itself; here the same kind of
problem, with the same line numbers, is found for repos, data files, interpreters, folders and the
port. Nothing is written and no project code is run.
"""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from phems.adapters.mlflow.process import check_installed
from phems.adapters.repo_check import repo_fault
from phems.adapters.source_check import source_fault
from phems.adapters.tls_files import tls_fault
from phems.adapters.webhook_secrets import webhook_secret
from phems.errors import PhemsError
from phems.nodespec import (
    Code,
    Document,
    NodePaths,
    NodeSpec,
    Problem,
    inspect_text,
    node_paths,
    read_node_text,
)
from phems.nodespec.problems import dotted

Loc = tuple[str | int, ...]
Fault = tuple[str, str, str]
"""What is wrong, why it matters or how it is known, and the remedy."""


def check_world(spec: NodeSpec, folder: Path, document: Document | None = None) -> list[Problem]:
    """Every problem of the world around a spec, in the order of the file.

    `document` gives the line numbers, and says which values are stand-ins and so not to be judged;
    without it node.yaml in `folder` is read again.
    """
    if document is None:
        document = inspect_text(read_node_text(folder), file=str(folder / "node.yaml"))[1]
    found = [
        Problem(document.file, document.line(loc), dotted(loc), *fault)
        for loc, fault in _faults(spec, node_paths(spec, folder))
        if not document.is_doubtful(loc)
    ]
    return sorted(found, key=lambda problem: (problem.line, problem.key))


def _faults(spec: NodeSpec, paths: NodePaths) -> Iterator[tuple[Loc, Fault]]:
    yield from _folder_faults(paths)
    if not is_running(paths):
        yield from port_faults(spec)
    yield from _tls_faults(spec, paths)
    yield from _wheelhouse_faults(spec, paths)
    for name, source in spec.data_sources.items():
        file = paths.resolve(source.path)
        fault = source_fault(file, source.format)
        if fault is not None and fault.about_format:
            yield ("data_sources", name, "format"), fault.texts
        elif fault is not None:
            yield ("data_sources", name, "path"), fault.texts
        yield from _overlaps(("data_sources", name, "path"), file, paths)
    for name, project in spec.projects.items():
        at: Loc = ("projects", name)
        code = project.code
        broken = repo_fault(paths.code_repo(code), branch=code.branch, root=code.root, module=code.module)
        if broken is not None:
            yield (*at, "code", broken.key), broken.texts
        yield from _webhook_faults((*at, "code", "webhook_secret"), code, paths)
        if project.mlflow:
            yield from _mlflow_faults(name)
        if project.environment.python is not None:
            yield from _interpreter_faults(
                (*at, "environment", "python"), paths.resolve(project.environment.python)
            )


def _webhook_faults(loc: Loc, code: Code, paths: NodePaths) -> Iterator[tuple[Loc, Fault]]:
    try:
        webhook_secret(code, paths.folder, os.environ)
    except PhemsError as error:
        yield loc, (error.what, error.why, error.remedy)


def _mlflow_faults(project: str) -> Iterator[tuple[Loc, Fault]]:
    try:
        check_installed(project)
    except PhemsError as error:
        yield ("projects", project, "mlflow"), ("is on, and MLflow is not installed", error.why, error.remedy)


def is_running(paths: NodePaths) -> bool:
    """Whether a node holds the lock of this data folder now."""
    try:
        descriptor = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _folder_faults(paths: NodePaths) -> Iterator[tuple[Loc, Fault]]:
    for key, folder in (("data_dir", paths.data_dir), ("release_zone", paths.release_zone)):
        # What is not there yet is made in the nearest folder that is.
        nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
        if not nearest.is_dir():
            yield (
                (key,),
                (f"{nearest} is not a folder", "the node makes folders in it", f"move it: ls -ld {nearest}"),
            )
        elif not os.access(nearest, os.W_OK | os.X_OK):
            yield (
                (key,),
                (
                    f"{nearest} cannot be written",
                    "this user has no right to, or the disk is read-only",
                    f"name another folder, or: chown {os.getuid()} {nearest}",
                ),
            )


def _overlaps(loc: Loc, file: Path, paths: NodePaths) -> Iterator[tuple[Loc, Fault]]:
    real = file.resolve()
    for key, folder in (("data_dir", paths.data_dir), ("release_zone", paths.release_zone)):
        if real.is_relative_to(folder.resolve()):
            yield (
                loc,
                (
                    f"{file} lies in {key}",
                    "project code could read keys or other projects' files",
                    f"move the data out of {folder}",
                ),
            )


def _tls_faults(spec: NodeSpec, paths: NodePaths) -> Iterator[tuple[Loc, Fault]]:
    tls = spec.gateway.tls
    if tls is None:
        return
    found = tls_fault(paths.resolve(tls.certificate), paths.resolve(tls.key), dt.datetime.now(dt.UTC))
    if found is not None:
        yield ("gateway", "tls", found[0]), found[1:]


def _wheelhouse_faults(spec: NodeSpec, paths: NodePaths) -> Iterator[tuple[Loc, Fault]]:
    written = spec.environments.wheelhouse
    if written is not None and not (folder := paths.resolve(written)).is_dir():
        why = "the packages of projects come from it"
        yield ("environments", "wheelhouse"), (f"{folder} is not a folder", why, f"mkdir {folder}")


def _interpreter_faults(loc: Loc, python: Path) -> Iterator[tuple[Loc, Fault]]:
    remedy = (
        f"python3 -m venv {python.parent.parent}, then install phems-node and the project's packages in it"
    )
    if not python.is_file():
        yield loc, (f"{python} does not exist", "the project's code runs with it", remedy)
    elif not os.access(python, os.X_OK):
        yield loc, (f"{python} cannot be executed", "the project's code runs with it", f"chmod +x {python}")


def port_faults(spec: NodeSpec) -> Iterator[tuple[Loc, Fault]]:
    """Why the gateway cannot listen where it is to; nothing when it can."""
    host, port = spec.gateway.host, spec.gateway.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        yield ("gateway", "host"), (f"{host} is not an address", str(error.strerror), "write 127.0.0.1")
        return
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                fault = (
                    f"port {port} is in use",
                    "another program listens on it",
                    f"stop it (ss -ltnp sport = :{port}), or write another port",
                )
                yield ("gateway", "port"), fault
            elif error.errno == errno.EACCES:
                yield (
                    ("gateway", "port"),
                    (
                        f"port {port} is not for this user",
                        "ports below 1024 are root's",
                        "write a port from 1024 up",
                    ),
                )
            else:
                fault = (f"{host} is not an address of this machine", str(error.strerror), "write 127.0.0.1")
                yield ("gateway", "host"), fault
