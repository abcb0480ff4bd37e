"""What is wrong with the data source, column by column."""

import pandas as pd

# What a value can be at all, by the study's protocol: not what it usually is.
RANGES = {
    "age": (18, 120),
    "bmi": (10, 80),
    "diasbp": (0, 250),
    "fstat": (0, 1),
    "gender": (0, 1),
    "hr": (20, 250),
    "lenfol": (0, 6000),
    "sysbp": (30, 300),
}


def quality_of(source: pd.DataFrame) -> pd.DataFrame:
    """One row per column: values, missing, out of range (`None` where no range is known)."""
    rows = []
    for name in source.columns:
        column = source[name]
        low_high = RANGES.get(name)
        outside = None if low_high is None else int((~column.dropna().astype(float).between(*low_high)).sum())
        rows.append(
            {
                "column": name,
                "values": int(column.notna().sum()),
                "missing": int(column.isna().sum()),
                "out_of_range": outside,
            }
        )
    return pd.DataFrame(rows).astype({"out_of_range": "Int64"})
