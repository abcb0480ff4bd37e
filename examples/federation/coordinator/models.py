"""The model of a round, as the file that goes to the nodes: CSV, so that whoever reviews it can read it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

from phems.errors import InputError, NotFoundError

FILE = "global-model.csv"
_HEAD = ("round", "coefficient", "value")


def model_path(folder: Path, number: int) -> Path:
    """Where the model that round `number` begins from lies."""
    return folder / "rounds" / str(number) / FILE


def write_model(folder: Path, number: int, coefficients: Mapping[str, float]) -> Path:
    """Write the model that a round begins from; `InputError` when another one was sent as that already."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_HEAD)
    rows.writerows([number, name, f"{value:.6f}"] for name, value in coefficients.items())
    path = model_path(folder, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.getvalue().encode()
    if path.exists() and path.read_bytes() != content:
        raise InputError(
            f"Another model of round {number} is there already.",
            why="what was sent to the nodes is not written over.",
            remedy=f"Go on with round {number}, or begin in another folder.",
        )
    path.write_bytes(content)
    return path


def read_model(folder: Path, number: int) -> dict[str, float]:
    """The coefficients that a round begins from; `NotFoundError` when there is no such round yet."""
    try:
        rows = list(csv.DictReader(model_path(folder, number).read_text().splitlines()))
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no round {number} yet.",
            why="a round begins from the average of the round before.",
            remedy="begin makes round 1, and each round the next.",
        ) from error
    return {row["coefficient"]: float(row["value"]) for row in rows}


def version_of(folder: Path, number: int) -> str:
    """What nodes call this file in manifests: its SHA-256."""
    return "sha256:" + hashlib.sha256(model_path(folder, number).read_bytes()).hexdigest()
