"""Made-up patients in place of the data source, and a folder of its own for everything written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def source() -> pd.DataFrame:
    """200 patients with the columns of WHAS500; age, heart failure and shock shorten life."""
    draw = np.random.default_rng(7)
    count = 200
    age = draw.uniform(40, 95, count).round()
    chf = draw.integers(0, 2, count)
    sho = (draw.random(count) < 0.2).astype(int)
    rate = np.exp(0.06 * (age - 70) + 0.9 * chf + 1.2 * sho) / 1500
    life = draw.exponential(1 / rate)
    followed = draw.uniform(300, 2300, count)
    return pd.DataFrame(
        {
            "patient_id": [f"T{number:03d}" for number in range(count)],
            "age": age,
            "bmi": draw.normal(27, 4, count).clip(15, 50),
            "chf": chf,
            "diasbp": draw.normal(80, 15, count).clip(30, 150),
            "gender": draw.integers(0, 2, count),
            "hr": draw.normal(85, 18, count).clip(40, 180),
            "sho": sho,
            "sysbp": draw.normal(140, 25, count).clip(60, 240),
            "lenfol": np.ceil(np.minimum(life, followed)).clip(1),
            "fstat": life <= followed,
        }
    )


@pytest.fixture
def source_file(source: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "whas500.parquet"
    source.to_parquet(path)
    monkeypatch.setenv("PHEMS_SOURCE_WHAS500", str(path))
    monkeypatch.setenv("PHEMS_ARTIFACTS", str(tmp_path / "artifacts"))
    return path
