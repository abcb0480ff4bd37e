"""What an author asks for, from plain data: a mistake is named, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from phems.errors import InputError
from phems.services.release_asks import AskedGroup, Case, Choice, asked_groups, file_groups

GROUP = {"name": "km", "context": "a", "controls": "b"}


def test_groups_are_read_with_their_files() -> None:
    """Otherwise a request of several groups cannot be written down and kept."""
    plain = {
        "run": "run-1",
        "groups": [
            {**GROUP, "files": ["km.csv"], "supporting": ["n.csv"], "code": ["src/a.py"]},
            {"context": "c", "controls": "d", "run": "run-2"},
            {"name": "m", "context": "e", "controls": "f", "model": "risk/1"},
        ],
    }
    assert asked_groups(plain) == (
        AskedGroup(
            Case("a", "b"), Choice("run-1", ("km.csv",)), "km", supporting=("n.csv",), code=("src/a.py",)
        ),
        AskedGroup(Case("c", "d"), Choice("run-2")),
        AskedGroup(Case("e", "f"), Choice("run-1", model="risk/1"), "m"),
    )


@pytest.mark.parametrize(
    ("plain", "told"),
    [
        ([], "no list of `groups`"),
        ({"groups": {}}, "no list of `groups`"),
        ({"groups": [], "projects": 1}, "the request has 'projects'"),
        ({"groups": ["km"]}, "groups[0] is not a mapping"),
        ({"groups": [GROUP, {**GROUP, "file": []}]}, "groups[1] has 'file'"),
        ({"groups": [{**GROUP, "context": 3}]}, "groups[0].context is not a text"),
        ({"run": 3, "groups": [GROUP]}, "groups[0].run is not a text"),
        ({"groups": [{**GROUP, "files": "km.csv"}]}, "groups[0].files is not a list of texts"),
        ({"groups": [{**GROUP, "code": [1]}]}, "groups[0].code is not a list of texts"),
    ],
)
def test_what_does_not_fit_is_named(plain: Any, told: str) -> None:
    """Otherwise a misspelt key is dropped, and a file is missing from the request."""
    with pytest.raises(InputError) as refused:
        asked_groups(plain)
    assert told in refused.value.why


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([], "no file groups"),
        ([AskedGroup(Case("a", "b")), AskedGroup(Case("a", "b"))], "Two file groups are called 'default'"),
        ([AskedGroup(Case("a", "b"), name="../km")], "cannot be named so"),
        ([AskedGroup(Case(" ", "b"))], "has no context"),
        ([AskedGroup(Case("a", ""))], "has no controls"),
    ],
)
def test_groups_are_named_once_and_tell_their_case(groups: list[AskedGroup], told: str) -> None:
    """Otherwise checkers decide without knowing on what."""
    with pytest.raises(InputError, match=told):
        file_groups(groups)
