"""Private Dagster names have no promise: each one that this side uses is pinned."""

from __future__ import annotations

import json

from tests.pins import FILES, pins_of

MODULE = "phems.engine._dagster"


def test_private_names_are_what_they_were_when_their_uses_were_written() -> None:
    """Otherwise an upgrade of Dagster changes what happens at the wall, and nobody looks."""
    pinned, found = json.loads(FILES[MODULE].read_text()), pins_of(MODULE)
    changed = {name: (pinned.get(name), found.get(name)) for name in {*pinned, *found}}
    changed = {name: pair for name, pair in changed.items() if pair[0] != pair[1]}
    assert not changed, f"look at every use of these, then: python -m tests.pins\n{changed}"
