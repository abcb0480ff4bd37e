"""Host and Origin headers: which ones are the gateway's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.gateway.origins import host_is_known, local_path, origin_is_own

NAMES = frozenset({"node.hospital.example"})


@pytest.mark.parametrize(
    "host",
    ["localhost:3000", "LOCALHOST", "127.0.0.1:3000", "[::1]:3000", "10.1.2.3", "node.hospital.example:443"],
)
def test_people_reach_the_node_by_its_own_names(host: str) -> None:
    assert host_is_known(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "node.hospital.example.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "localhost:3000@evil.example",
        "localhost/evil.example",
        "localhost:3000:80",
        "evil.example localhost",
        "[::1",
        "::1",
        "",
    ],
)
def test_a_rebound_name_is_refused(host: str) -> None:
    """A page whose name an attacker points at this machine would read the node with its visitor's eyes."""
    assert not host_is_known(host, NAMES)


@pytest.mark.parametrize(
    ("origin", "tls", "is_own"),
    [
        ("http://localhost:3000", False, True),
        ("HTTP://LOCALHOST:3000", False, True),
        ("https://localhost:3000", True, True),
        ("https://localhost:3000", False, False),
        ("http://localhost:3000", True, False),
        ("http://localhost:3001", False, False),
        ("http://localhost", False, False),
        ("http://evil.example", False, False),
        ("http://localhost:3000.evil.example", False, False),
        ("null", False, False),
        ("", False, False),
    ],
)
def test_only_our_own_pages_send_cookies(origin: str, tls: bool, is_own: bool) -> None:
    assert origin_is_own(origin, "localhost:3000", tls=tls) is is_own


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/abc?x=1&y=%2F", "/assets/a/b#up"])
def test_signing_in_leads_back_to_where_one_was(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "runs",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/ok\\..\\evil",
        "\\\\evil.example",
        "/" + "a" * 3000,
        "javascript:alert(1)",
    ],
)
def test_signing_in_never_leads_to_another_site(path: str | None) -> None:
    """A link to our own sign-in page must not end on a page that looks like ours."""
    assert local_path(path) == "/"


@given(st.text(max_size=40))
def test_whatever_is_asked_for_the_way_on_is_a_local_path(text: str) -> None:
    found = local_path(text)
    assert found.startswith("/")
    assert found[1:2] not in {"/", "\\"}
    assert found.isascii()
    assert found.isprintable()
