"""How the hospital tells counts of patients: by hundreds, and nothing below a hundred."""

TO = 100


def told(patients: int) -> str:
    """The count as it may be told. A text, since version 2: what adds counts up must be changed first."""
    hundreds = round(patients / TO)
    return f"about {hundreds * TO}" if hundreds else f"fewer than {TO}"
