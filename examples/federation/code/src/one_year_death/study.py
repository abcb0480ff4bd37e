"""The protocol, the same in each hospital: what is predicted, from what, and how far one goes in a round."""

from typing import Final

DAYS: Final = 365.0
"""Death within so many days of admission is what is predicted."""

STANDARD: Final = {
    "age": (70.0, 15.0),
    "bmi": (27.0, 5.0),
    "chf": (0.5, 0.5),
    "diasbp": (80.0, 20.0),
    "hr": (85.0, 25.0),
}
"""What it is predicted from, and about where its middle and its spread are: age in years, body mass index,
congestive heart failure (0 or 1), diastolic pressure in mmHg, heart rate per minute. Round numbers of
clinical practice, agreed on beforehand: they bring the columns to one scale, and no patient is in them."""

COEFFICIENTS: Final = ("intercept", *STANDARD)

STEPS: Final = 20
"""Gradient steps in a round. With more of them fewer rounds do, and each hospital drifts further towards its
own patients meanwhile."""

RATE: Final = 2.0
"""The length of a step. The loss curves by a quarter of the columns' largest eigenvalue at most, so the steps
converge while that stays below 4; of columns near unit variance it does."""

DIGITS: Final = 6
"""Decimals of what leaves: no more than a model needs."""
