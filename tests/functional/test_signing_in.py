"""The first page that anybody sees."""

from __future__ import annotations

from collections.abc import Callable

from tests.functional.conftest import BREAST, HEART
from tests.functional.people import Person


def test_people_come_to_their_work(person: Callable[..., Person]) -> None:
    """Otherwise who signs in would have to know where to go."""
    ana = person("ana")
    assert ana.page.get_by_role("heading", level=1).inner_text() == "My work"
    assert HEART in ana.reads()
    assert BREAST not in ana.reads()
    ana.picture("my-work")
