"""What people read on pages: moments and sizes in words, and no character that hides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from markupsafe import Markup

from phems.gateway.spelling import count, moment, short, shown, size, visible


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x00", "\x1b", "\ud800", "\U000e0041", "\u2066"])
def test_no_character_hides_in_a_name(hidden: str) -> None:
    """Otherwise a file called `exe.txt` could read as a text and be something else."""
    spelt = visible(f"a{hidden}b")
    assert hidden not in spelt
    assert f"[U+{ord(hidden):04X}]" in spelt


def test_what_people_write_in_their_languages_stays() -> None:
    """Otherwise names of people and places would be spoilt."""
    text = "Ångström, 患者, مريض\n\tzwei Zeilen"
    assert visible(text) == text
    assert shown(Markup("<b>") + "x") == "<b>x"
    assert shown(7) == 7


def test_moments_are_in_utc_whatever_they_came_as() -> None:
    """Otherwise two people would read two different times of one act."""
    at = datetime(2026, 11, 28, 2, 47, tzinfo=timezone(timedelta(hours=1)))
    assert moment(at) == moment(at.astimezone(UTC)) == "28 November 2026, 01:47"


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1234567, "1.2 MB")]
)
def test_sizes_are_in_words(number: int, words: str) -> None:
    """Otherwise people would count digits."""
    assert size(number) == words


def test_numbers_agree_with_their_nouns() -> None:
    """Otherwise pages would say "1 files"."""
    assert (count(1, "file"), count(2, "file"), count(2, "entry", "entries")) == (
        "1 file",
        "2 files",
        "2 entries",
    )
    assert short("a" * 64) == "a" * 12
