"""Write the data sources of the example node: real clinical data from the package scikit-survival.

    python make_data.py [FOLDER]        (default: node/sources beside this file)

whas500.parquet   Worcester Heart Attack Study: 500 patients, 215 deaths (Hosmer, Lemeshow, May 2008)
gbsg2.csv         German Breast Cancer Study Group 2: 686 patients, 299 events (Schumacher et al. 1994)

Each row gets a stable `patient_id` from its place in the published table. The same package gives the
same bytes every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from sksurv.datasets import load_gbsg2, load_whas500


def whas500() -> pa.Table:
    """One row per patient; `fstat` is true for a death, `lenfol` is in days, the rest as published."""
    covariates, outcome = load_whas500()
    measured = ("age", "bmi", "diasbp", "hr", "los", "sysbp")
    columns: dict[str, pa.Array] = {"patient_id": _ids("W", len(outcome))}
    for name in sorted(covariates.columns):
        kind = pa.float64() if name in measured else pa.int8()
        columns[name] = pa.array(covariates[name].astype(float), kind)
    columns["lenfol"] = pa.array(outcome["lenfol"], pa.float64())
    columns["fstat"] = pa.array(outcome["fstat"], pa.bool_())
    return pa.table(columns)


def gbsg2() -> pa.Table:
    """One row per patient; `cens` is true for a recurrence or death, `time` the follow-up in days."""
    covariates, outcome = load_gbsg2()
    columns: dict[str, pa.Array] = {"patient_id": _ids("G", len(outcome))}
    for name in sorted(covariates.columns):
        text = str(covariates[name].dtype) == "category"
        columns[name] = pa.array(covariates[name].astype(str if text else float).tolist())
    columns["time"] = pa.array(outcome["time"], pa.float64())
    columns["cens"] = pa.array(outcome["cens"], pa.bool_())
    return pa.table(columns)


def _ids(letter: str, count: int) -> pa.Array:
    return pa.array([f"{letter}{number:04d}" for number in range(1, count + 1)])


def make_data(folder: Path) -> tuple[Path, Path]:
    """Write both files into `folder` (made if need be) and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    heart, breast = folder / "whas500.parquet", folder / "gbsg2.csv"
    pq.write_table(whas500(), heart)
    csv.write_csv(gbsg2(), breast)
    return heart, breast


if __name__ == "__main__":
    default = Path(__file__).parent / "node" / "sources"
    for path in make_data(Path(sys.argv[1]) if len(sys.argv) > 1 else default):
        sys.stdout.write(f"{path}\n")
