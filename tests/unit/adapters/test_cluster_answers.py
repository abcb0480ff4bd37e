"""Answers of an API server: which of them mean later, which never, and how long is waited."""

from __future__ import annotations

import pytest

from phems.adapters.kubernetes.answers import (
    ClusterAwayError,
    ClusterRefusedError,
    NameTakenError,
    ObjectGoneError,
    TooOldError,
    error_of,
)
from phems.adapters.kubernetes.list_watch import LONGEST_PAUSE_SECONDS, pause_after
from phems.errors import PhemsError


@pytest.mark.parametrize(
    ("method", "status", "kind"),
    [
        ("POST", 409, NameTakenError),
        ("GET", 410, TooOldError),
        ("GET", 404, ObjectGoneError),
        ("POST", 404, ClusterRefusedError),  # the namespace is not there
        ("POST", 400, ClusterRefusedError),
        ("POST", 401, ClusterRefusedError),
        ("POST", 403, ClusterRefusedError),
        ("POST", 422, ClusterRefusedError),
        ("GET", 408, ClusterAwayError),
        ("GET", 429, ClusterAwayError),
        ("GET", 500, ClusterAwayError),
        ("GET", 504, ClusterAwayError),
    ],
)
def test_an_answer_says_whether_another_may_come(method: str, status: int, kind: type[PhemsError]) -> None:
    error = error_of(method, "/jobs", status, {}, b'{"message": "the reason"}')
    assert type(error) is kind
    assert error.why == f"{status}: the reason"


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"[]", b'{"code": 502}', b"\xff"])
def test_a_proxy_that_answers_for_the_server_is_quoted_as_it_is(body: bytes) -> None:
    error = error_of("GET", "/jobs", 502, {}, body * 100)
    assert error.why.startswith("502: ")
    assert len(error.why) <= 310


def test_a_pause_is_as_long_as_the_server_says_and_never_very_long() -> None:
    told = error_of("GET", "/jobs", 429, {"Retry-After": "3"}, b"")
    date = error_of("GET", "/jobs", 429, {"Retry-After": "Sat, 28 Nov 2026 12:00:00 GMT"}, b"")
    never = error_of("GET", "/jobs", 429, {"Retry-After": "86400"}, b"")
    assert pause_after(1, told) == 3
    assert pause_after(1, date) == 0.1
    assert pause_after(1, never) == LONGEST_PAUSE_SECONDS
    assert [pause_after(misses, None) for misses in (1, 2, 3, 1000)] == [0.1, 0.2, 0.4, LONGEST_PAUSE_SECONDS]
