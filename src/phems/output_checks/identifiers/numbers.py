"""National numbers of persons that a European federation meets, each with its shape and its check digits.

Shapes are regular expressions without anchors; what matches is validated by python-stdnum
(https://arthurdejong.org/python-stdnum/), so that a count or a code of the same length is told from an
identifier. `by_chance` is the share of random values of that shape that validate all the same.
"""

from __future__ import annotations

import importlib
import string
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class IdNumber:
    """One kind of number."""

    name: str
    shape: str
    validator: str
    """A module of python-stdnum, or a function of this module."""
    by_chance: float

    def is_valid(self, text: str) -> bool:
        """Whether the check digits hold (and dates in it are dates)."""
        return _validator(self.validator)(text)


def _validator(name: str) -> Callable[[str], bool]:
    if name == "kvnr":
        return is_kvnr
    valid: Callable[[str], bool] = importlib.import_module(f"stdnum.{name}").is_valid
    return valid


def is_kvnr(text: str) -> bool:
    """The German health insurance number: a letter, eight digits, and a digit by mod 10 (§ 290 SGB V)."""
    from stdnum import luhn

    letter, digits = text[:1].upper(), text[1:]
    if len(letter) != 1 or letter not in string.ascii_uppercase:
        return False
    valid: bool = luhn.is_valid(f"{string.ascii_uppercase.index(letter) + 1:02d}{digits}")
    return valid


NUMBERS: tuple[IdNumber, ...] = (
    IdNumber("NHS number", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "gb.nhs", 1 / 11),
    IdNumber("Spanish DNI", r"\d{8}[ -]?[A-Za-z]", "es.dni", 1 / 23),
    IdNumber("Spanish NIE", r"[XYZxyz][ -]?\d{7}[ -]?[A-Za-z]", "es.nie", 1 / 23),
    IdNumber(
        "Italian codice fiscale",
        r"[A-Za-z]{6}[0-9L-Vl-v]{2}[A-Ta-t][0-9L-Vl-v]{2}[A-Za-z][0-9L-Vl-v]{3}[A-Za-z]",
        "it.codicefiscale",
        1 / 260,
    ),
    IdNumber("Finnish HETU", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Ya-y]", "fi.hetu", 1 / 310),
    IdNumber("Dutch BSN", r"\d{9}", "nl.bsn", 1 / 11),
    IdNumber("German KVNR", r"[A-Za-z]\d{9}", "kvnr", 1 / 10),
    IdNumber("French NIR", r"[1278] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}", "fr.nir", 1 / 97),
    IdNumber("Belgian national number", r"\d{2}\.?\d{2}\.?\d{2}[- ]?\d{3}[. ]?\d{2}", "be.nn", 1 / 260),
    IdNumber("Swedish personnummer", r"(?:\d{2})?\d{6}[-+]\d{4}", "se.personnummer", 1 / 270),
    IdNumber("Norwegian fødselsnummer", r"\d{6} ?\d{5}", "no.fodselsnummer", 1 / 3000),
    IdNumber("Danish CPR", r"\d{6}-\d{4}", "dk.cpr", 1 / 27),
    IdNumber("Polish PESEL", r"\d{11}", "pl.pesel", 1 / 55),
    IdNumber("Estonian isikukood", r"[1-8]\d{10}", "ee.ik", 1 / 270),
    IdNumber("Czech rodné číslo", r"\d{6}/\d{3,4}", "cz.rc", 1 / 30),
    IdNumber("Romanian CNP", r"[1-9]\d{12}", "ro.cnp", 1 / 300),
    IdNumber("Swiss AHV number", r"756\.?\d{4}\.?\d{4}\.?\d{2}", "ch.ssn", 1 / 10),
    IdNumber("Irish PPS number", r"\d{7}[A-Wa-w][A-IWa-iw]?", "ie.pps", 1 / 23),
)
