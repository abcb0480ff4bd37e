"""Checks on this machine: its Python, its sandbox, and node.yaml with what it names."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

from phems.adapters.node_check import check_world
from phems.adapters.sandbox import walls
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok, warning

OLDEST_PYTHON = (3, 11)
NAMED_BY_SPEC = ("data_sources.", "projects.")
ALLOW_NAMESPACES = (
    "As root: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), or "
    "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
)


def look_at_python(_: Patient | None = None) -> Iterator[Seen]:
    """The Python that runs the node."""
    found = f"{sys.version.split()[0]} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield failed(f"{found} is older than {oldest}", f"Install python{oldest} and phems-node in it")
    else:
        yield ok(found)


def look_at_what_spec_names(patient: Patient) -> Iterator[Seen]:
    """Code Repos, data files and interpreters that node.yaml names."""
    problems = [
        problem
        for problem in check_world(patient.spec, patient.paths.folder, patient.document)
        if problem.key.startswith(NAMED_BY_SPEC)
    ]
    for problem in problems:
        yield failed(f"{problem.what}: {problem.why}", problem.remedy, about=problem.key)
    if not problems:
        projects, sources = len(patient.spec.projects), len(patient.spec.data_sources)
        yield ok(f"{projects} projects, {sources} data sources")


def look_at_sandbox(patient: Patient) -> Iterator[Seen]:
    """bubblewrap, by which project code is walled off, and the namespaces that it needs."""
    bwrap = shutil.which("bwrap")
    found = walls.namespaces(bwrap) if bwrap is not None else ()
    if found == walls.CLOSED_NAMESPACES:
        yield ok(f"{bwrap} works, and no namespace can be made inside")
        return
    if found:
        yield warning(f"{bwrap} works, but namespaces can be made inside", "Install bubblewrap 0.8 or later")
        return
    what = "bubblewrap is not installed" if bwrap is None else f"this user may not make namespaces ({bwrap})"
    remedy = "As root: apt-get install bubblewrap" if bwrap is None else ALLOW_NAMESPACES
    cluster = patient.spec.kubernetes
    if patient.spec.profile == "kubernetes" and cluster is not None and cluster.hosts is not None:
        yield warning(f"{what}: project code runs in pods, output checks without a wall", remedy)
        return
    strict = [name for name in patient.spec.projects if patient.spec.policy_of(name).sandbox == "required"]
    if strict:
        yield failed(f"{what}, and the policy of {', '.join(strict)} requires it", remedy)
    else:
        yield warning(f"{what}: project code runs without a wall", remedy)
