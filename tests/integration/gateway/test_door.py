"""The door over real HTTP: who gets in, what a foreign page cannot make a browser do, and how no is said."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode

import pytest
from door_site import Site, start_site
from plain_http import Answer, cookie_of, send
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from phems.gateway import door

PASSWORD = "pass"
FORM = "application/x-www-form-urlencoded"
PAGE = {"Accept": "text/html,application/xhtml+xml"}


def sign_in(site: Site, *, next_path: str = "/", password: str = PASSWORD, **headers: str) -> Answer:
    body = urlencode({"name": "ana", "password": password, "next": next_path}).encode()
    sent = {"Content-Type": FORM, "Origin": site.origin, **headers}
    return send(site.port, "POST", "/login", sent, body)


@pytest.mark.parametrize(
    "path", ["/", "/graphql", "/runs", "/_next/x.js", "/account", "/logs/a/b.err", "/static"]
)
def test_nothing_is_served_to_strangers(site: Site, path: str) -> None:
    """Whoever can reach the port would read the node."""
    answer = send(site.port, "GET", path)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "phems user token" in answer.json()["error"]["remedy"]
    assert send(site.port, "POST", path, {"Content-Type": "application/json"}, b"{}").status == 401


def test_a_stranger_with_a_browser_is_led_to_the_sign_in_page_and_back(site: Site) -> None:
    answer = send(site.port, "GET", "/runs/abc?tab=logs", PAGE)
    assert (answer.status, answer.headers["Location"]) == (303, "/login?next=%2Fruns%2Fabc%3Ftab%3Dlogs")
    page = send(site.port, "GET", answer.headers["Location"], PAGE)
    assert page.status == 200
    assert 'value="/runs/abc?tab=logs"' in page.text
    assert sign_in(site, next_path="/runs/abc?tab=logs").headers["Location"] == "/runs/abc?tab=logs"


def test_the_sign_in_page_does_not_lead_elsewhere_nor_run_what_it_is_given(site: Site) -> None:
    assert sign_in(site, next_path="//evil.example/").headers["Location"] == "/"
    page = send(site.port, "GET", "/login?next=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E", PAGE)
    assert "<script" not in page.text
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_session_lets_in_and_ends_when_the_person_signs_out(site: Site) -> None:
    """A session that outlives signing out lets the next person at the desk in."""
    answer = sign_in(site)
    attributes = answer.headers["Set-Cookie"].lower()
    assert answer.status == 303
    for attribute in ("httponly", "samesite=strict", "path=/"):
        assert attribute in attributes
    assert "secure" not in attributes  # plain HTTP on the loopback: the browser would drop it
    signed_in = {"Cookie": cookie_of(answer), "Origin": site.origin}
    assert send(site.port, "GET", "/runs", signed_in).json()["who"] == "ana"
    out = send(site.port, "POST", "/logout", signed_in)
    assert (out.status, out.headers["Location"]) == (303, "/login")
    assert send(site.port, "GET", "/runs", signed_in).status == 401


def test_signing_in_again_ends_the_earlier_session(site: Site) -> None:
    first = cookie_of(sign_in(site))
    sign_in(site, Cookie=first)
    assert send(site.port, "GET", "/runs", {"Cookie": first}).status == 401


def test_a_wrong_password_is_told_on_the_page_without_being_shown(site: Site) -> None:
    answer = sign_in(site, password="hunter2hunter2")
    assert answer.status == 403
    assert "The name or the password is wrong." in answer.text
    assert "hunter2" not in answer.text
    assert answer.headers["Set-Cookie"] is None


def test_a_token_lets_programs_in(site: Site) -> None:
    answer = send(site.port, "POST", "/graphql", {"Authorization": "Bearer phems_ana"}, b"x")
    assert answer.json() == {"who": "ana", "path": "/graphql", "length": 1}
    for bad in ("Bearer phems_x", "Bearer", "phems_ana", "Basic cGhlbXNfYW5h"):
        assert send(site.port, "GET", "/", {"Authorization": bad}).status == 401
    # A bad token is not made good by a cookie beside it.
    headers = {"Authorization": "Bearer x", "Cookie": cookie_of(sign_in(site))}
    assert send(site.port, "GET", "/", headers).status == 401


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", None, "https://127.0.0.1"])
def test_another_page_cannot_post_with_the_visitors_cookie(site: Site, origin: str | None) -> None:
    """Attack case 3: a form on another page would launch runs as whoever is signed in."""
    headers = {"Cookie": cookie_of(sign_in(site)), "Content-Type": "application/json"}
    if origin is not None:
        headers["Origin"] = origin
    for path in ("/graphql", "/logout"):
        answer = send(site.port, "POST", path, headers, b"{}")
        assert answer.status == 403
        assert "Origin" in answer.json()["error"]["why"]
    headers["Origin"] = site.origin
    assert send(site.port, "POST", "/graphql", headers, b"{}").status == 200


def test_another_page_cannot_sign_its_visitor_in_as_somebody_else(site: Site) -> None:
    assert sign_in(site, Origin="http://evil.example").status == 403


def test_a_websocket_opens_for_our_own_pages_alone(site: Site) -> None:
    """Attack case 4: browsers let any page open a WebSocket with the visitor's cookie."""
    url = f"ws://127.0.0.1:{site.port}/echo"
    cookie = cookie_of(sign_in(site))
    with connect(url, additional_headers={"Cookie": cookie}, origin=site.origin) as socket:  # type: ignore[arg-type]
        assert socket.recv() == "ana"
    with connect(url, additional_headers={"Authorization": "Bearer phems_ana"}) as socket:
        assert socket.recv() == "ana"
    for headers, origin in (
        ({"Cookie": cookie}, "http://evil.example"),
        ({"Cookie": cookie}, None),
        ({}, None),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=headers, origin=origin).close()  # type: ignore[arg-type]
        assert refused.value.response.status_code in {401, 403}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_a_rebound_name_is_refused_even_with_a_token(site: Site, host: str) -> None:
    answer = send(site.port, "GET", "/", {"Host": host, "Authorization": "Bearer phems_ana"})
    assert answer.status == 421
    assert send(site.port, "GET", "/login", {"Host": host, **PAGE}).status == 421


def test_a_configured_name_is_answered(site: Site) -> None:
    headers = {"Host": "node.example:443", "Authorization": "Bearer phems_ana"}
    assert send(site.port, "GET", "/", headers).status == 200


def test_forged_identity_headers_change_nothing(site: Site) -> None:
    """Attack case 7: a header that some proxy would set is not who one is."""
    forged = {"X-Forwarded-User": "ana", "X-Remote-User": "ana", "X-Forwarded-Host": "node.example"}
    assert send(site.port, "GET", "/", forged).status == 401


def test_who_has_no_role_sees_the_account_page_and_no_project(site: Site) -> None:
    nobody = {"Authorization": "Bearer phems_nobody"}
    answer = send(site.port, "GET", "/runs", nobody)
    assert answer.status == 403
    assert "project.read" in answer.json()["error"]["why"]
    assert "None yet" in send(site.port, "GET", "/account", nobody | PAGE).text


def test_a_large_body_is_refused_declared_or_not(site: Site) -> None:
    """One request must not fill the memory of a process that everything depends on."""
    token = {"Authorization": "Bearer phems_ana"}
    assert send(site.port, "POST", "/x", token, b"x" * 1000).status == 200
    assert send(site.port, "POST", "/x", token, b"x" * 1001).status == 413
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("POST", "/x", iter([b"x" * 600] * 2), token, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_every_answer_tells_browsers_to_keep_it_to_themselves(site: Site) -> None:
    for path, headers in (("/login", {}), ("/x", {"Authorization": "Bearer phems_ana"}), ("/x", {})):
        answer = send(site.port, "GET", path, headers)
        policies = " ".join(answer.headers.get_all("Content-Security-Policy"))
        assert "frame-ancestors 'none'" in policies
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Server"] is None


def test_health_needs_nobody_and_tells_nothing(site: Site) -> None:
    answer = send(site.port, "GET", "/healthz", {"Host": "10.0.0.7"})
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_a_websocket_ends_with_its_session(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs would go on streaming to a desk whose person has signed out."""
    monkeypatch.setattr(door, "WEBSOCKET_CHECK_SECONDS", 0.0)
    cookie = cookie_of(sign_in(site))
    url = f"ws://127.0.0.1:{site.port}/ticks"
    with connect(url, additional_headers={"Cookie": cookie}, origin=site.origin) as socket:  # type: ignore[arg-type]
        assert socket.recv(timeout=10) == "tick"
        socket.send("more")
        assert socket.recv(timeout=10) == "tick"
        send(site.port, "POST", "/logout", {"Cookie": cookie, "Origin": site.origin})
        socket.send("more")
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(timeout=10)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == door.SESSION_ENDED_CODE


def test_behind_tls_cookies_are_secure_and_origins_https() -> None:
    """A cookie that also travels in the clear can be read on the way."""
    site = start_site(tls=True)
    try:
        own = site.origin.replace("http://", "https://")
        assert sign_in(site).status == 403
        answer = sign_in(site, Origin=own)
        assert (answer.status, "secure" in answer.headers["Set-Cookie"].lower()) == (303, True)
        assert answer.headers["Strict-Transport-Security"]
    finally:
        site.server.stop()


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e3", "+5"])
def test_a_length_that_is_none_is_refused(site: Site, length: str) -> None:
    token = {"Authorization": "Bearer phems_ana", "Content-Length": length}
    assert send(site.port, "POST", "/x", token).status in {400, 413}
