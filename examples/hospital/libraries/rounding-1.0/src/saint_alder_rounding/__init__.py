"""How the hospital tells counts of patients: to the nearest ten, and nothing below ten."""

TO = 10


def told(patients: int) -> int | None:
    """The count as it may be told; None for one that may not."""
    return None if patients < TO else round(patients / TO) * TO
