"""The two hospitals, and how a node of each is made: a node.yaml, a copy of `code/`, its own patients."""

from __future__ import annotations

import os
import runpy
import shutil
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

HERE = Path(__file__).parent
PROJECT = "one-year-death"
HUB = "hub"
STUDY: dict[str, Any] = runpy.run_path(str(HERE / "code" / "src" / "one_year_death" / "study.py"))
"""The protocol, as the code in the nodes has it."""


@dataclass(frozen=True)
class Hospital:
    """A hospital, and its people: nobody works for both."""

    name: str
    title: str
    analyst: str
    owner: str
    checkers: tuple[str, str]

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who has a token."""
        return (self.analyst, self.owner, *self.checkers)


HOSPITALS = (
    Hospital("alder", "Saint Alder Hospital", "ana", "wei", ("carol", "dmitri")),
    Hospital("birch", "Birch Clinic", "ben", "ines", ("esra", "felix")),
)


@dataclass(frozen=True)
class Place:
    """Where a hospital's node lies. Nothing outside of its folder is any business of the other's."""

    hospital: Hospital
    folder: Path

    @property
    def node(self) -> Path:
        """Its Node Repo."""
        return self.folder / "node"

    @property
    def global_model(self) -> Path:
        """The data source that holds the round's model."""
        return self.node / "sources" / "global-model.csv"

    @property
    def log(self) -> Path:
        """What its node says."""
        return self.folder / "serve.log"

    def token(self, who: str) -> Path:
        """Where a person keeps the token."""
        return self.folder / "tokens" / who


def make(folder: Path, patients: dict[str, Path]) -> list[Place]:
    """Lay out both nodes below `folder`, which is empty."""
    places = [Place(hospital, folder / hospital.name) for hospital in HOSPITALS]
    for place, port in zip(places, _free_ports(len(places)), strict=True):
        hospital = place.hospital
        (place.node / "sources").mkdir(parents=True)
        place.token("").mkdir(mode=0o700)
        filled = {
            "site": hospital.name,
            "title": hospital.title,
            "port": str(port),
            "analyst": hospital.analyst,
            "owner": hospital.owner,
            "checkers": ", ".join(hospital.checkers),
        }
        template = Template((HERE / "node.yaml.template").read_text())
        (place.node / "node.yaml").write_text(template.substitute(filled))
        shutil.copyfile(patients[hospital.name], place.node / "sources" / "patients.parquet")
        code = place.folder / "code"
        shutil.copytree(HERE / "code", code, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
        _commit(code, hospital.analyst)
    return places


def _free_ports(count: int) -> Iterable[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _commit(repo: Path, author: str) -> None:
    identity = ["-c", f"user.name={author}", "-c", f"user.email={author}@hospital.example"]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "The protocol that was agreed on"],
    ):
        subprocess.run(["git", *identity, *words], cwd=repo, check=True, env=environment)
