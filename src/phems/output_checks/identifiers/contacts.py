"""What reaches a person, and when they were born: e-mail, telephone, postcode, dates to the day."""

from __future__ import annotations

from dataclasses import dataclass

from phems.domain.output_checks import Verdict


@dataclass(frozen=True)
class Pattern:
    """A kind of values, their shape, and what a column that holds them is."""

    name: str
    shape: str
    verdict: Verdict


# The shape of a date to the day, the year first or last (ISO 8601; European order).
DATE = (
    r"(?:(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|1[0-2])[-/.](?:19|20)\d{2})"
)

CONTACTS: tuple[Pattern, ...] = (
    Pattern("e-mail addresses", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", Verdict.FAIL),
    # E.164: at most 15 digits after the plus sign.
    Pattern("telephone numbers", r"(?:\+|00)[1-9]\d{0,2}[ ()./-]?(?:\d[ ()./-]?){6,12}\d", Verdict.FAIL),
    Pattern("telephone numbers", r"0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}", Verdict.REVIEW),
    Pattern("British postcodes", r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}", Verdict.REVIEW),
    Pattern("dates to the day", DATE, Verdict.REVIEW),
)
