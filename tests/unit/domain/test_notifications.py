"""What people are told of what waits for them: sentences from a table, and nothing that somebody wrote."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from phems.domain.notifications import (
    GRANT_ENDS,
    PAUSES,
    Notice,
    ending_grants,
    next_try,
    notice_of,
    path,
    sentence,
)
from phems.domain.waiting import Task, TaskKind

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OWN = {TaskKind.SUBMIT, TaskKind.LAUNCH}


@pytest.mark.parametrize("kind", TaskKind)
def test_what_others_wait_for_is_told_and_what_one_began_oneself_is_not(kind: TaskKind) -> None:
    notice = notice_of(Task(kind, "heart", "rr-abcdefgh", NOW, 3))
    assert (notice is None) is (kind in OWN)
    if notice is not None:
        assert "project heart" in sentence(notice)
        assert path(notice).startswith("/")
        assert "rr-abcdefgh" in path(notice)


def test_a_policy_of_the_node_is_told_as_such() -> None:
    notice = Notice(TaskKind.CONFIRM_POLICY, "", "7", NOW)
    assert sentence(notice) == "A policy version of the node waits for a second person."
    assert path(notice) == "/policies/-/7"


def test_a_name_cannot_lead_the_link_elsewhere() -> None:
    assert (
        path(Notice(TaskKind.VOTE, "heart", "../@evil.example?x", NOW))
        == "/releases/..%2F%40evil.example%3Fx"
    )


def test_grants_that_end_within_a_week_are_told_and_no_others() -> None:
    """Runs are refused from one day to the next otherwise, in the middle of a study."""
    today = NOW.date()
    soon, last = today + timedelta(days=7), today
    days = [soon, soon, last, today + timedelta(days=8), today - timedelta(days=1)]
    notices = ending_grants({"heart": days, "lung": [date(2030, 1, 1)]}, NOW)
    assert [(each.kind, each.project, each.subject) for each in notices] == [
        (GRANT_ENDS, "heart", last.isoformat()),
        (GRANT_ENDS, "heart", soon.isoformat()),
    ]
    assert sentence(notices[0]) == "A data grant of the project heart ends within a week."
    assert path(notices[0]) == "/projects/heart"


def test_it_is_tried_again_with_growing_pauses_for_about_a_day_and_then_given_up() -> None:
    pauses = [next_try(attempts, NOW) for attempts in range(1, len(PAUSES) + 2)]
    assert pauses == [*(NOW + pause for pause in PAUSES), None]
    assert list(PAUSES) == sorted(PAUSES)
