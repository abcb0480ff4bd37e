"""What an open page is told of: nothing that its reader could not see."""

from __future__ import annotations

import pytest

from phems.domain.live_changes import WITHHELD, Changed, changed_from, changes_by

LOG = Changed("audit", None, "audit.read")
SEALED = {"after": "PARTIALLY_REVIEWED", "votes": [{"file": "0" * 64, "sealed": "1" * 64}]}
OPENED = {"after": "PARTIALLY_REVIEWED", "votes": [{"file": "0" * 64, "vote": "APPROVED"}]}


@pytest.mark.parametrize(
    ("action", "topic", "needs"),
    [
        ("code.approve", "code", "code.list"),
        ("capsule.request", "capsule", "capsule.list"),
        ("policy.propose", "policy", "policy.list"),
        ("release.return", "release", "release.list"),
        ("run.admit", "run", "run.list"),
        ("output.register", "run", "run.list"),
    ],
)
def test_an_act_is_news_for_the_pages_of_its_subject(action: str, topic: str, needs: str) -> None:
    """Otherwise a page would go on to show what is no more."""
    log, changed = changes_by(action, "heart-attack", "done", {})
    assert log == LOG
    assert (changed.topic, changed.project, changed.needs) == (topic, "heart-attack", needs)


@pytest.mark.parametrize("action", ["audit.tail", "release.view", "release.download"])
def test_a_reading_is_no_news(action: str) -> None:
    """Otherwise a page that is read again, and recorded as read, would be told to read itself for ever."""
    assert changes_by(action, "heart-attack", "done", {}) == ()


@pytest.mark.parametrize(("action", "result"), [("user.add", "done"), ("code.approve", "refused")])
def test_what_changes_no_subject_is_news_for_the_log_alone(action: str, result: str) -> None:
    """Otherwise pages would be read again for nothing."""
    assert changes_by(action, None, result, {}) == (LOG,)


@pytest.mark.parametrize(
    ("action", "details"),
    [("release.vote", SEALED), ("release.comment", {"visibility": "PUBLIC", WITHHELD: True})],
)
def test_nobody_learns_from_it_that_a_blind_checker_has_spoken(
    action: str, details: dict[str, object]
) -> None:
    """Otherwise one checker would know when another has voted, which the request hides from them."""
    assert changes_by(action, "heart-attack", "done", details) == (LOG,)


@pytest.mark.parametrize(
    ("action", "details"),
    [("release.vote", OPENED), ("release.comment", {"after": "REVIEWED", "visibility": "PRIVATE"})],
)
def test_what_checkers_do_among_themselves_is_told_to_them_alone(
    action: str, details: dict[str, object]
) -> None:
    """Otherwise an author would follow the review vote by vote."""
    assert changes_by(action, "heart-attack", "done", details)[1].needs == "release.vote"


def test_the_end_of_a_review_is_told_to_all() -> None:
    """Otherwise an author would wait before a page that is out of date."""
    [_, changed] = changes_by("release.vote", "heart-attack", "done", {**OPENED, "after": "APPROVED"})
    assert changed.needs == "release.list"


def test_a_notification_says_what_was_told() -> None:
    changed = Changed("run", "heart-attack", "run.list")
    assert changed_from(changed.as_text()) == changed
    assert changed_from(LOG.as_text()) == LOG


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"topic": "audit"}',
        '{"topic": "people", "project": null, "needs": "audit.read"}',
        '{"topic": "run", "project": "p", "needs": "anything"}',
    ],
)
def test_any_other_notification_is_none(text: str) -> None:
    """Otherwise whoever may notify could have pages told what they are not to know."""
    assert changed_from(text) is None
