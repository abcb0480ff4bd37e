"""The check for direct identifiers.

It finds what is written plainly. Whoever wants to carry identifiers out in another form (split over
columns, spelt, enciphered) is not found by patterns; the people who review are for that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.cells import HEADER, LINES, Cells, cells, column_names, has_text
from phems.output_checks.identifiers.column_names import is_of_birth, verdict_on
from phems.output_checks.identifiers.contacts import CONTACTS, DATE, Pattern
from phems.output_checks.identifiers.numbers import NUMBERS, IdNumber
from phems.output_checks.plugin import Check, CheckContext, finding

if TYPE_CHECKING:
    import pyarrow as pa

# A small number, as most cells of a table are: nothing to look for in it. An identifier has 7 digits or more.
_SMALL_NUMBER = r"^\s*[-+]?\d{0,6}(?:[.,]\d*)?(?:[eE][-+]?\d+)?\s*$"
# Anything else needs six digits or an at sign to be an identifier, but for postcodes and codici fiscali.
_WORTH_A_LOOK = r"\d.*\d.*\d.*\d.*\d.*\d|@|[A-Z\d] \d[A-Z]|[A-Za-z]{6}[0-9L-Vl-v]{2}[A-Ta-t]"
# How many different values of a column are looked at; a released table has no more.
_MOST_VALUES = 50_000
# Above this share of valid numbers among those of the shape, chance has no part in it.
_NO_CHANCE = 0.5
_RARE = 0.02
_BIRTH_WORDS = re.compile(rf"(?i)\b(?:born|dob|birth|geb\.?|nac\.?|nato|nata)\b[^\n]{{0,20}}{DATE}")


@dataclass
class _Tally:
    """What the values of one column look like: how many have the shape of a number, how many are valid."""

    values: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    valid: Counter[str] = field(default_factory=Counter)
    contacts: Counter[Pattern] = field(default_factory=Counter)
    born: int = 0

    def add(self, text: str) -> None:
        """Look at one more text."""
        self.values += 1
        if self.values > _MOST_VALUES:
            return
        for number in NUMBERS:
            for match in _compiled(number.shape).finditer(text):
                self.tried[number.name] += 1
                self.valid[number.name] += number.is_valid(match.group())
        self.contacts.update(pattern for pattern in CONTACTS if _compiled(pattern.shape).search(text))
        self.born += bool(_BIRTH_WORDS.search(text))


class Identifiers:
    """Direct identifiers in column names and in values."""

    name = "identifiers"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:  # noqa: ARG002
        """See `FileCheck`."""
        if not has_text(file):
            return
        found = [*_by_name(self, file), *_by_value(self, file)]
        yield from found or [
            finding(self, file.path, Verdict.PASS, "no direct identifier was found", columns=_shown(file))
        ]


def _shown(file: CheckedFile) -> int:
    return len(column_names(file))


def _by_name(check: Check, file: CheckedFile) -> Iterator[Finding]:
    by_verdict: dict[Verdict, list[str]] = {}
    for name in column_names(file):
        by_verdict.setdefault(verdict_on(name), []).append(name)
    for verdict, words in (
        (Verdict.FAIL, "columns are named as direct identifiers"),
        (Verdict.REVIEW, "columns are named as something that may identify"),
    ):
        if names := by_verdict.get(verdict):
            yield finding(check, file.path, verdict, words, columns=names[:50], number=len(names))


def _by_value(check: Check, file: CheckedFile) -> Iterator[Finding]:
    tallies: dict[str, _Tally] = {}
    for batch in cells(file):
        tally = tallies.setdefault(batch.column, _Tally())
        for text in _worth_a_look(batch):
            tally.add(text)
    for column, tally in tallies.items():
        yield from _on_numbers(check, file, column, tally)
        yield from _on_contacts(check, file, column, tally)
        if tally.values > _MOST_VALUES:
            words = "more values than can be looked at one by one"
            evidence = {**_where(column), "values": tally.values, "seen": _MOST_VALUES}
            yield finding(check, file.path, Verdict.REVIEW, words, **evidence)


def _worth_a_look(batch: Cells) -> Iterator[str]:
    import pyarrow.compute as pc

    texts: pa.Array = batch.texts
    texts = texts.filter(pc.invert(pc.match_substring_regex(texts, _SMALL_NUMBER)))
    texts = texts.filter(pc.match_substring_regex(texts, _WORTH_A_LOOK))
    for text in texts:
        yield text.as_py()


def _on_numbers(check: Check, file: CheckedFile, column: str, tally: _Tally) -> Iterator[Finding]:
    for number in NUMBERS:
        tried, valid = tally.tried[number.name], tally.valid[number.name]
        if not valid:
            continue
        verdict = _verdict(number, tried, valid)
        words = "valid numbers" if verdict is Verdict.FAIL else "some numbers that would be valid"
        yield finding(
            check,
            file.path,
            verdict,
            f"{words}: {number.name}",
            **_where(column),
            identifier=number.name,
            of_this_shape=tried,
            valid=valid,
            expected_by_chance=round(tried * number.by_chance, 1),
        )


def _verdict(number: IdNumber, tried: int, valid: int) -> Verdict:
    if number.by_chance < _RARE or valid >= tried * _NO_CHANCE:
        return Verdict.FAIL
    return Verdict.REVIEW


def _on_contacts(check: Check, file: CheckedFile, column: str, tally: _Tally) -> Iterator[Finding]:
    for pattern, number in tally.contacts.items():
        of_birth = pattern.shape == DATE and (tally.born or is_of_birth(column))
        verdict = Verdict.FAIL if of_birth else pattern.verdict
        name = "dates of birth" if of_birth else pattern.name
        yield finding(
            check, file.path, verdict, f"values like {name}", **_where(column), kind=name, values=number
        )


def _where(column: str) -> dict[str, Any]:
    return {} if column == LINES else {"column": "the first row" if column == HEADER else column}


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    # Nor the decimals of a number, nor one with decimals.
    return re.compile(rf"(?<![0-9A-Za-z])(?<!\d[.,]){shape}(?![0-9A-Za-z])(?![.,]\d)")


CHECK = Identifiers()
