"""Output: the same rows as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from phems.cli import output, session
from phems.nodespec import Queue


class State(Enum):
    APPROVED = "APPROVED"


class Word(str):
    __slots__ = ()


@dataclass(frozen=True)
class Row:
    name: str
    state: State
    at: datetime
    files: tuple[str, ...]
    note: str | None = None


ROW = Row("first", State.APPROVED, datetime(2026, 1, 2, 3, 4, tzinfo=UTC), ("a", "b"))


@pytest.fixture
def as_json() -> Iterator[None]:
    token = session._SESSION.set(session.Session(json=True))
    yield
    session._SESSION.reset(token)


@pytest.fixture(autouse=True)
def for_people() -> None:
    session.begin()


def test_a_table_has_the_columns_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows([ROW], ["name", "state", "files", "note"])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "state", "files", "note"]
    assert row.split() == ["first", "APPROVED", "a,", "b", "-"]


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows([{"digest": "d" * 300}], ["digest"])
    assert "d" * 300 in capsys.readouterr().out


def test_an_empty_table_says_so_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows([], ["name"], empty="No runs yet.")
    assert capsys.readouterr().out == "No runs yet.\n"


@pytest.mark.usefixtures("as_json")
def test_json_has_every_field_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("only for people")
    output.show_rows([ROW], ["name"])
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "first",
            "state": "APPROVED",
            "at": "2026-01-02T03:04:00+00:00",
            "files": ["a", "b"],
            "note": None,
        }
    ]
    output.show_rows([], ["name"])
    assert json.loads(capsys.readouterr().out) == []
    output.show_fields(ROW, ["name"])
    assert json.loads(capsys.readouterr().out)["state"] == "APPROVED"
    output.done({"id": "rr-1"}, "Asked.")
    assert json.loads(capsys.readouterr().out) == {"id": "rr-1"}


def test_one_thing_is_a_line_for_each_field(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_fields({"name": "x", "is_open": True, "tags": {"a": 1}})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "x"],
        ["is", "open", "yes"],
        ["tags", "a=1"],
    ]


def test_done_says_the_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    output.done({}, "Asked.")
    output.say("More.")
    output.warn("Careful.")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("Asked.\nMore.\n", "Warning: Careful.\n")


def test_names_from_project_code_cannot_colour_or_repaint(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_rows([{"name": "[red]x[/red]\x1b[31m"}], ["name"])
    output.say("a\x1b]0;title\x07b")
    out = capsys.readouterr().out
    assert "[red]x[/red]\\x1b[31m" in out
    assert "\x1b" not in out
    assert "\x07" not in out


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (date(2026, 1, 2), "2026-01-02"),
        (Path("/a/b"), "/a/b"),
        (b"\x01\xff", "01ff"),
        ({State.APPROVED: {2, 1}}, {"APPROVED": [1, 2]}),
        (Word("x"), "x"),
        (1.5, 1.5),
        (Queue(), {"concurrency": 4, "runs": 10, "priority": 0, "pool": "default"}),
        (complex(1, 2), "(1+2j)"),
    ],
)
def test_values_become_plain_json(value: Any, plain: Any) -> None:
    assert output.to_plain(value) == plain
