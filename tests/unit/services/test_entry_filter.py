"""What somebody looks for in the audit log, in moments that Postgres knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from phems.services.ports.audit import EntryFilter


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=16, minutes=16))),
            datetime(2026, 1, 1, 10, 44, tzinfo=UTC),
        ),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(1, 1, 1, tzinfo=UTC)),
    ],
    ids=["an offset that no clock has", "the first day"],
)
def test_a_moment_may_come_with_any_offset(asked: datetime, meant: datetime) -> None:
    """Postgres refuses one beyond 16 hours, and the search ended as an error of the node."""
    assert EntryFilter(since=asked, before=asked).given() == dict.fromkeys(
        ("since", "before"), meant.isoformat()
    )
    naive = datetime(2026, 1, 2)  # noqa: DTZ001
    assert EntryFilter(since=naive).since == naive
