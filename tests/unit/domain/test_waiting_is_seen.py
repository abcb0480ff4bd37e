"""What waits for all people is asked for together: who is given a task must be one who may see the thing."""

from __future__ import annotations

import pytest

from phems.domain.permissions import PERMISSIONS, Verb

SEEN_BY: tuple[tuple[Verb, Verb], ...] = (
    ("release.request", "release.list"),
    ("code.approve", "code.list"),
    ("capsule.approve", "capsule.list"),
)


@pytest.mark.parametrize(("does", "sees"), SEEN_BY)
def test_who_may_do_it_may_see_it(does: Verb, sees: Verb) -> None:
    """Otherwise a notification names a project to somebody who is told elsewhere that it does not exist."""
    assert set(PERMISSIONS[does]) <= set(PERMISSIONS[sees])
