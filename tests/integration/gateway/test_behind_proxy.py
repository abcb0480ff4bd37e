"""The gateway behind a real second hop: who asks counts, not who passes it on; nobody else is believed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from door_site import Site, start_site
from plain_http import cookie_of, send
from second_hop import ADDRESS, second_hop

from phems.nodespec.gateway import RateLimits

ANA = {"Authorization": "Bearer phems_ana"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def behind() -> Iterator[Site]:
    """A gateway that people reach by https, through a proxy."""
    site = start_site(
        tls=True,
        public_url="https://node.example",
        trusted_proxies=(ADDRESS,),
        rate_limits=RateLimits(sign_in="3/minute"),
    )
    yield site
    site.server.stop()


def test_the_address_of_who_asks_comes_through(behind: Site) -> None:
    """Else one person's wrong passwords would lock out everybody behind the proxy."""
    with second_hop(behind.port) as hop:
        answer = send(hop.port, "GET", "/came", ANA).json()
        assert (answer["who"], answer["client"], answer["scheme"]) == ("ana", "127.0.0.1", "https")
        forged = {**ANA, "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Remote-User": "olga"}
        answer = send(hop.port, "GET", "/came", forged).json()
    assert (answer["who"], answer["client"]) == ("ana", "127.0.0.1")
    assert not {"x-forwarded-for", "x-real-ip", "remote-user"} & set(answer["headers"])


def test_signing_in_through_the_proxy_gives_a_cookie_for_https(behind: Site) -> None:
    body = urlencode({"name": "ana", "password": "pass", "next": "/runs"}).encode()
    with second_hop(behind.port) as hop:
        headers = {"Content-Type": FORM, "Origin": "https://node.example"}
        answer = send(hop.port, "POST", "/login", headers, body)
        assert answer.status == 303
        assert "secure" in answer.headers["Set-Cookie"].lower()
        assert answer.headers["Strict-Transport-Security"]
        assert send(hop.port, "GET", "/runs", {"Cookie": cookie_of(answer)}).json()["who"] == "ana"
        foreign = {"Content-Type": FORM, "Origin": "http://node.example"}
        assert send(hop.port, "POST", "/login", foreign, body).status == 403


def test_who_comes_in_the_clear_is_led_to_https(behind: Site) -> None:
    with second_hop(behind.port, scheme="http") as hop:
        led = send(hop.port, "GET", "/runs?tab=a", {"Accept": "text/html"})
        assert (led.status, led.headers["Location"]) == (308, "https://node.example/runs?tab=a")
        refused = send(hop.port, "GET", "/runs", ANA)
    assert refused.status == 403
    assert "https" in refused.json()["error"]["what"]


def test_a_name_that_the_proxy_makes_up_is_refused(behind: Site) -> None:
    with second_hop(behind.port, host="evil.example") as hop:
        assert send(hop.port, "GET", "/x", ANA).status == 421


def test_wrong_passwords_are_counted_by_who_tries_and_no_header_gives_more_tries() -> None:
    """Whoever could choose their address could guess without end."""
    body = urlencode({"name": "ana", "password": "wrong"}).encode()
    site = start_site(rate_limits=RateLimits(sign_in="3/minute"))
    try:
        headers = {"Content-Type": FORM, "Origin": site.origin, "Accept": "text/html"}
        answers = [
            send(site.port, "POST", "/login", {**headers, "X-Forwarded-For": f"203.0.113.{number}"}, body)
            for number in range(5)
        ]
    finally:
        site.server.stop()
    assert [answer.status for answer in answers] == [403, 403, 403, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert "text/html" in answers[-1].headers["Content-Type"]
