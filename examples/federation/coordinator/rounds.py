"""A round: what every node has released is fetched, held to what was agreed on, averaged. All, or nothing."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.federation.coordinator.federation import Federation, Node
from examples.federation.coordinator.models import read_model, version_of, write_model
from examples.federation.coordinator.packages import fetch, look, opened
from examples.federation.coordinator.updates import Update, average, read_update

from phems.errors import IntegrityError, RefusedError

Record = dict[str, str]
"""What was taken of a node in a round: its `request`, and the `cursor` after it."""


@dataclass(frozen=True)
class Averaged:
    """What came of a round."""

    number: int
    packages: dict[str, str]
    patients: dict[str, int]
    model: dict[str, float]
    next_model: Path
    next_version: str


def begin(folder: Path, coefficients: tuple[str, ...]) -> Path:
    """Write the model that the first round begins from: all zero."""
    return write_model(folder, 1, dict.fromkeys(coefficients, 0.0))


def run_round(federation: Federation, number: int, *, wait: float) -> Averaged:
    """Collect a round's updates, waiting up to `wait` seconds for them, and write the next one's model."""
    read_model(federation.folder, number)  # there is such a round
    deadline = time.monotonic() + wait
    taken = [
        _collect(federation, node, number, _taken_of(federation.folder, node.name, number), deadline)
        for node in federation.nodes
    ]
    for update, record in taken:
        _record_path(federation.folder, update.node, number).write_text(json.dumps(record))
    model = average([update for update, _ in taken])
    path = write_model(federation.folder, number + 1, model)
    return Averaged(
        number,
        {update.node: record["request"] for update, record in taken},
        {update.node: update.patients for update, _ in taken},
        model,
        path,
        version_of(federation.folder, number + 1),
    )


def _collect(
    federation: Federation, node: Node, number: int, before: Sequence[Record], deadline: float
) -> tuple[Update, Record]:
    found = look(node, before[-1]["cursor"] if before else "", deadline=deadline)
    for earlier, record in enumerate(before, 1):
        if record["request"] in found.revoked:
            raise RefusedError(
                f"{node.name} has revoked {record['request']}, its update of round {earlier}.",
                why="every model since then rests on it.",
                remedy=f"Begin in another folder, from the model of round {earlier}.",
            )
    if len(found.released) != 1:
        raise IntegrityError(
            f"{node.name} has sent {len(found.released)} packages for round {number}.",
            why=f"they are {', '.join(found.released) or 'revoked'}, and a hospital counts once.",
            remedy=f"Have {node.name} revoke all but one of them, or release one.",
        )
    request = found.released[0]
    folder = federation.folder / "rounds" / str(number) / node.name
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was refused
    package = fetch(node, request, folder)
    content = opened(federation, node, package, number)
    update = read_update(content, node=node.name, number=number, names=federation.coefficients)
    return update, {"request": request, "cursor": found.cursor}


def _taken_of(folder: Path, node: str, number: int) -> list[Record]:
    """What was taken of a node in the rounds before this one."""
    return [json.loads(_record_path(folder, node, earlier).read_text()) for earlier in range(1, number)]


def _record_path(folder: Path, node: str, number: int) -> Path:
    return folder / "rounds" / str(number) / node / "taken.json"
