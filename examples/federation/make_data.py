"""Write the patients of two hospitals, and those held out: WHAS500 of the package scikit-survival, split.

    python make_data.py FOLDER

alder.parquet      the larger hospital
birch.parquet      the smaller one, whose patients are older
held-out.parquet   patients of neither, to compare models on

The published table does not say where a patient was treated, so the hospitals are made up: a hash of the
patient's number decides, with other odds for those over 70. The same package gives the same files every time.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sksurv.datasets import load_whas500

HELD_OUT = 0.3
OLD = 70.0
TO_ALDER = {False: 0.85, True: 0.45}
"""The share of those not held out who are Alder's, by whether they are over `OLD`."""

COLUMNS = ("age", "bmi", "chf", "diasbp", "hr")


def split() -> dict[str, pa.Table]:
    """The patients by where they are: alder, birch, held-out."""
    covariates, outcome = load_whas500()
    columns = {name: pa.array(covariates[name].astype(float), pa.float64()) for name in COLUMNS}
    table = pa.table(
        {
            **columns,
            "lenfol": pa.array(outcome["lenfol"], pa.float64()),
            "fstat": pa.array(outcome["fstat"], pa.bool_()),
        }
    )
    places = [_place(number, float(age)) for number, age in enumerate(covariates["age"], 1)]
    return {
        name: table.filter(pa.array([place == name for place in places]))
        for name in ("alder", "birch", "held-out")
    }


def make_data(folder: Path) -> dict[str, Path]:
    """Write the files into `folder` (made if need be); their paths, by where the patients are."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, table in split().items():
        paths[name] = folder / f"{name}.parquet"
        pq.write_table(table, paths[name])
    return paths


def _place(number: int, age: float) -> str:
    if _chance(f"held-out {number}") < HELD_OUT:
        return "held-out"
    return "alder" if _chance(f"hospital {number}") < TO_ALDER[age > OLD] else "birch"


def _chance(text: str) -> float:
    """A number from 0 to 1 that is always the same for a text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


if __name__ == "__main__":
    for path in make_data(Path(sys.argv[1])).values():
        sys.stdout.write(f"{path}\n")
