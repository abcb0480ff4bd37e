"""Rate limits: who is over one is told when to ask again, and their memory is bounded."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from phems.domain.actors import Actor
from phems.gateway.callers import Caller, Credential
from phems.gateway.open_requests import OpenRequests
from phems.gateway.rate_limits import KINDS, RateLimiter
from phems.gateway.rate_storage import BoundedWindows
from phems.nodespec.gateway import Connections, RateLimits

ANA, BEN = (Caller(Actor(name), Credential.TOKEN) for name in ("ana", "ben"))


def connection(
    path: str = "/runs", method: str = "GET", client: str = "192.0.2.4", kind: str = "http"
) -> HTTPConnection:
    scope: dict[str, Any] = {
        "type": kind,
        "path": path,
        "method": method,
        "client": (client, 1),
        "headers": [],
    }
    return HTTPConnection(scope)


@pytest.mark.parametrize(
    ("method", "path", "row"),
    [
        ("POST", "/login", "sign_in"),
        ("GET", "/login", "reads"),
        ("GET", "/login/oidc", "sign_in"),
        ("GET", "/login/oidc/back", "sign_in"),
        ("POST", "/graphql", "graphql"),
        ("GET", "/logs/a/b.err", "downloads"),
        ("GET", "/download_debug/x", "downloads"),
        ("POST", "/api/projects/x/releases", "writes"),
        ("DELETE", "/logs/a", "writes"),
        ("POST", "/webhooks/code/heart-attack", "webhooks"),
        ("GET", "/webhooks/code/heart-attack", "reads"),
        ("GET", "/metrics", "probes"),
        ("GET", "/readyz", "probes"),
        ("GET", "/metrics/x", "reads"),
        ("GET", "/", "reads"),
    ],
)
def test_a_request_is_under_the_first_row_that_fits(method: str, path: str, row: str) -> None:
    assert next(kind.row for kind in KINDS if kind.fits(method, path)) == row


def test_one_persons_haste_is_not_anothers() -> None:
    limiter = RateLimiter(RateLimits(reads="3/minute"))
    assert [limiter.request(connection(), ANA) for _ in range(3)] == [None] * 3
    refused = limiter.request(connection(), ANA)
    assert refused is not None
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert b"gateway.rate_limits.reads" in bytes(refused.body)
    assert limiter.request(connection(), BEN) is None
    assert limiter.request(connection("/graphql", "POST"), ANA) is None
    assert limiter.refused["reads"] == 1


def test_a_clock_that_is_set_back_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise everybody who asked at that moment waits an hour for their next page."""
    limiter = RateLimiter(RateLimits(reads="1/minute"))
    wall = time.time()
    assert limiter.request(connection(), ANA) is None
    monkeypatch.setattr(time, "time", lambda: wall - 3600.0)
    refused = limiter.request(connection(), ANA)
    assert refused is not None
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_who_is_not_signed_in_is_counted_by_address() -> None:
    """Passwords are guessed from few machines at many names."""
    limiter = RateLimiter(RateLimits(sign_in="2/minute", strangers="1/minute"))
    tries = [limiter.request(connection("/login", "POST"), None) for _ in range(3)]
    assert [answer is None for answer in tries] == [True, True, False]
    assert limiter.request(connection("/login", "POST", client="192.0.2.5"), None) is None
    assert limiter.stranger(connection()) is None
    assert limiter.stranger(connection()) is not None


def test_refused_under_the_api_is_a_problem_document() -> None:
    limiter = RateLimiter(RateLimits(writes="1/hour"))
    limiter.request(connection("/api/x", "POST"), ANA)
    refused = limiter.request(connection("/api/x", "POST"), ANA)
    assert refused is not None
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_without_limits_nothing_is_refused_nor_remembered() -> None:
    limiter = RateLimiter(None)
    assert all(limiter.request(connection(), None) is None for _ in range(50))
    assert limiter.size == (0, 0)


def test_the_window_moves() -> None:
    """With windows that begin on the minute, one could ask twice as much around its turn."""
    now = [0.0]
    storage = BoundedWindows(clock=lambda: now[0])
    for at, fits in ((0, True), (50, True), (59, False), (60.5, True), (61, False), (110.5, True)):
        now[0] = at
        assert storage.acquire_entry("k", 2, 60) is fits, at
    assert storage.get_moving_window("k", 2, 60) == (60.5, 2)
    assert storage.get_moving_window("other", 2, 60) == (110.5, 0)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), max_size=300))
def test_memory_is_bounded_whoever_asks(asked: list[tuple[int, int]]) -> None:
    """An attacker with many addresses must not fill the gateway's memory."""
    now = [0.0]
    storage = BoundedWindows(most_keys=8, most_times=20, clock=lambda: now[0])
    held: dict[str, list[float]] = {}
    for key, seconds in asked:
        now[0] += seconds
        storage.acquire_entry(str(key), 5, 60)
        keys, times = storage.size
        assert keys <= 8
        assert times <= 20
        held = {str(each): [] for each, _ in asked}
        assert times == sum(storage.get(each) for each in held)
    storage.clear("0")
    storage.reset()
    assert storage.size == (0, 0)


@pytest.mark.parametrize(
    ("kind", "key"), [("http", "requests_per_person"), ("websocket", "websockets_per_person")]
)
def test_one_person_has_so_many_open_at_once(kind: str, key: str) -> None:
    opened = OpenRequests(Connections(requests_per_person=4, websockets_per_person=4))
    asked = connection(kind=kind)
    with opened.open(asked, ANA), opened.open(asked, ANA), opened.open(asked, ANA):
        assert opened.one_too_many(asked, ANA) is None
        with opened.open(asked, ANA):
            refused = opened.one_too_many(asked, ANA)
            assert refused is not None
            assert key.encode() in bytes(refused.body)
            assert opened.one_too_many(asked, BEN) is None
            assert opened.count(kind) == 4
    assert opened.count(kind) == 0
    assert opened.one_too_many(asked, ANA) is None
    assert opened.refused[key] == 1
