"""Unpacking wheels with uv: only wheels, only with the hashes asked for, and nothing of them is run.

A wheel is an archive: installing one copies files. Building from source would run the project's code with the
node's rights, so it is never done. Where wheels come from is the node's to say: a folder, an index, or both.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phems.domain.locked_requirements import LockedRequirement
from phems.errors import InputError, IntegrityError, UnavailableError

SECONDS = 900
# What uv may know of the machine: how to reach an index, and whom to trust.
_PASSED = (
    *("PATH", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_NATIVE_TLS"),
)
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")


@dataclass(frozen=True)
class WheelSources:
    """Where wheels come from: a folder of them, and the address of an index."""

    wheelhouse: Path | None = None
    index: str | None = None


def unpack(requirements: Sequence[LockedRequirement], target: Path, sources: WheelSources) -> None:
    """Unpack the wheels of the requirements into the folder `target`, which is made.

    `InputError` when there is no such wheel, `UnavailableError` when there is nowhere to look.
    """
    target.mkdir()
    if not requirements:
        return
    wanted = target.with_name("requirements.in")
    wanted.write_text("".join(f"{requirement.line()}\n" for requirement in requirements), encoding="utf-8")
    environment, options = _where(sources)
    command = [
        *(_uv(), "pip", "install", "--quiet", "--no-config", "--no-cache", "--no-deps", "--require-hashes"),
        *("--only-binary", ":all:", "--link-mode", "copy", "--no-python-downloads", "--no-progress"),
        *("--python", sys.executable, "--target", str(target), *options, "--requirements", str(wanted)),
    ]
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=target.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"The packages did not come within {SECONDS} s.",
            why="the index is too slow, or cannot be reached.",
            remedy="Try again: phems code sync",
        ) from error
    wanted.unlink()
    if done.returncode != 0:
        raise InputError(
            "The packages that the code revision locks cannot be had.",
            why=_said(done.stderr),
            remedy="Put their wheels where `environments:` in node.yaml says; then: phems code sync",
        )
    _drop_programs(target)


def _where(sources: WheelSources) -> tuple[Mapping[str, str], Sequence[str]]:
    """uv's environment, and its options that say where it may look. The address may hold a secret."""
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    environment["HOME"] = "/nonexistent"
    options: list[str] = []
    if sources.wheelhouse is not None:
        options += ["--find-links", str(sources.wheelhouse)]
    if sources.index is not None:
        environment["UV_DEFAULT_INDEX"] = sources.index
    elif not any(name in environment for name in _INDEXES):
        if sources.wheelhouse is None:
            raise UnavailableError(
                "There is nowhere to take packages from.",
                why="node.yaml names neither environments.wheelhouse nor environments.index.",
                remedy="Name a folder of wheels, or an index, in node.yaml under environments.",
            )
        options += ["--no-index"]
    return environment, options


def _uv() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("uv", path=os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise UnavailableError(
            "uv is not installed.",
            why="the node unpacks the packages of projects with it.",
            remedy=f"Install it beside the node: {sys.executable} -m pip install uv",
        )
    return found


def _said(stderr: str) -> str:
    lines = [line.strip(" \u2502\u256d\u2570\u2500\u25b6\u00d7") for line in stderr.splitlines()]
    return " ".join(line for line in lines if line)[:800] or "uv gave no reason."


def _drop_programs(target: Path) -> None:
    """Take out what is run by name, and refuse what is no file: an environment is modules alone."""
    for name in ("bin", ".lock"):
        place = target / name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    for folder, folders, files in os.walk(target):
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(folder, name)).st_mode  # noqa: PTH118 (many files)
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise IntegrityError(
                    f"A package brings {name!r}, which is neither a file nor a folder.",
                    why="a link could point out of the environment.",
                    remedy="Take another version of the package.",
                )
