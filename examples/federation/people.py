"""What the people of one hospital type: `phems` commands, each with the token of whoever types it.

They run in a process for each hospital, so that both work at the same time. The process does not start an
interpreter for each command; nothing else is different.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.federation.hospitals import HUB, PROJECT, Place

from phems.cli import session
from phems.cli.app import run
from phems.errors import PhemsError, RefusedError

READY_SECONDS = "90"


class CommandFailedError(PhemsError):
    """A command of the story did not do what it should."""


@dataclass
class Keyboard:
    """Types commands at one node, and remembers who typed what."""

    place: Place
    typed: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, who: str, *words: str) -> Any:
        """Type a command; what it says (`--json`). `CommandFailedError` with its error when it fails."""
        code, said = self._run(who, words)
        if code:
            raise CommandFailedError(
                f"{who} of {self.place.hospital.name} could not: phems {' '.join(words)}",
                why=json.dumps(said)[:2000],
                remedy=f"See {self.place.log}",
            )
        return said

    def refused(self, who: str, *words: str) -> str:
        """Type a command that a rule forbids; what the refusal says."""
        code, said = self._run(who, words)
        if code != RefusedError.exit_code:
            raise CommandFailedError(
                f"It was not refused: phems {' '.join(words)}", why=f"exit code {code}, {said}"[:2000]
            )
        return " ".join(str(said["error"].get(part) or "") for part in ("what", "why")).strip()

    def _run(self, who: str, words: tuple[str, ...]) -> tuple[int, Any]:
        self.typed.append((who, " ".join(f'"{word}"' if " " in word else word for word in words)))
        token = self.place.token(who)
        out, err = io.StringIO(), io.StringIO()
        arguments = ["--node", str(self.place.node), "--json", *words]
        if token.exists():
            arguments = ["--token", token.read_text(), *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(arguments)
        session.begin()
        text = err.getvalue() if code and err.getvalue().strip() else out.getvalue()
        try:
            return code, json.loads(text)
        except ValueError:
            return code, {"error": {"what": text}}


@dataclass(frozen=True)
class Joined:
    """What a hospital hands to the coordinator, from hand to hand, and what it has submitted."""

    url: str
    public_key: str
    token: str
    commit: str
    code_digest: str
    typed: list[tuple[str, str]]


def join(place: Place) -> Joined:
    """A node that has just been started gets its people; the analyst submits the code."""
    phems, hospital = Keyboard(place), place.hospital
    url = phems("operator", "status", "--wait", "--within", READY_SECONDS)["url"]
    for name in hospital.people:
        phems("operator", "user", "add", name)
        place.token(name).touch(mode=0o600)
        place.token(name).write_text(phems("operator", "user", "token", name)["token"])
    revision = phems(hospital.analyst, "code", "submit", "--project", PROJECT)
    return Joined(
        url,
        phems("operator", "release", "key")["public_key"],
        phems("operator", "coordinator", "token", HUB)["token"],
        revision["commit"],
        revision["digest"],
        phems.typed,
    )


def approve(place: Place, commit: str) -> list[tuple[str, str]]:
    """The owner approves the code, and the node loads it in its sandbox."""
    phems = Keyboard(place)
    phems(place.hospital.owner, "code", "approve", "--project", PROJECT, commit[:12])
    phems("operator", "status", "--wait", "--within", READY_SECONDS, "--project", PROJECT)
    return phems.typed


@dataclass(frozen=True)
class Trained:
    """What a hospital did in a round."""

    refusal: str
    seen_version: str
    run: str
    request: str
    verdicts: dict[str, str]
    typed: list[tuple[str, str]]


def one_round(place: Place, number: int, model: Path, version: str) -> Trained:
    """A model came from the coordinator: put it in place, approve it, train, and release the update.

    `version` is what the coordinator said that the model is; the owner compares it with what would run.
    """
    phems, hospital = Keyboard(place), place.hospital
    fresh = place.global_model.with_suffix(".new")
    shutil.copyfile(model, fresh)
    fresh.rename(place.global_model)  # as mv does: no step reads some of both
    refusal = phems.refused(hospital.analyst, "run", "launch", PROJECT, "train")
    capsule = phems(hospital.owner, "capsule", "list", "--project", PROJECT, "--state", "requested")[0][
        "capsule"
    ]
    seen = phems(hospital.owner, "capsule", "show", "--project", PROJECT, capsule[:12])["data"]
    seen_version = seen["global-model"]["version"]
    if seen_version != version:
        raise CommandFailedError(
            f"{hospital.owner} does not approve round {number} at {hospital.name}.",
            why=f"what would run reads {seen_version}, and the coordinator sent {version}.",
        )
    phems(hospital.owner, "capsule", "approve", "--project", PROJECT, capsule[:12])
    run_id = phems(hospital.analyst, "run", "launch", PROJECT, "train")["id"]
    asked = phems(
        hospital.analyst, "release", "request", "--project", PROJECT, "--run", run_id,
        "--context", f"Update of round {number} for the federation",
        "--controls", "Six coefficients of all patients together",
    )  # fmt: skip
    verdicts = {
        finding["check"]: finding["verdict"] for file in asked["files"] for finding in file["findings"]
    }
    for checker in hospital.checkers:
        phems(checker, "release", "vote", asked["id"], "--approve", "all")
    return Trained(refusal, seen_version, run_id, asked["id"], verdicts, phems.typed)
