"""Made-up patients in place of the data source, and a folder of its own for everything written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def source() -> pd.DataFrame:
    """300 patients with the columns of GBSG2; hormonal therapy halves the hazard."""
    draw = np.random.default_rng(11)
    count = 300
    therapy = draw.random(count) < 0.4
    nodes = draw.integers(1, 12, count)
    life = draw.exponential(1500 / np.exp(np.log(0.5) * therapy + 0.08 * nodes))
    followed = draw.uniform(300, 2500, count)
    return pd.DataFrame(
        {
            "patient_id": [f"T{number:03d}" for number in range(count)],
            "age": draw.integers(30, 80, count),
            "estrec": draw.integers(0, 300, count),
            "horTh": np.where(therapy, "yes", "no"),
            "menostat": draw.choice(["Pre", "Post"], count),
            "pnodes": nodes,
            "progrec": draw.integers(0, 300, count),
            "tgrade": draw.choice(["I", "II", "III"], count),
            "tsize": draw.integers(5, 60, count),
            "time": np.ceil(np.minimum(life, followed)),
            "cens": life <= followed,
        }
    )


@pytest.fixture
def source_file(source: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "gbsg2.csv"
    source.to_csv(path, index=False)
    monkeypatch.setenv("PHEMS_SOURCE_GBSG2", str(path))
    monkeypatch.setenv("PHEMS_ARTIFACTS", str(tmp_path / "artifacts"))
    return path
