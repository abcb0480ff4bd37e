"""Which address counts: the table of what proxies, honest and forged, may say."""

from __future__ import annotations

import pytest

from phems.gateway.client_address import UNKNOWN, client_key, client_of, first_untrusted, is_in, networks

PROXIES = networks(["10.0.0.0/29", "2001:db8:1::/64"])


@pytest.mark.parametrize(
    ("forwarded_for", "counts"),
    [
        ([], "10.0.0.1"),
        ([b"192.0.2.4"], "192.0.2.4"),
        # What stands further left may have been made up by the client itself.
        ([b"127.0.0.1, 192.0.2.4"], "192.0.2.4"),
        ([b"127.0.0.1", b"192.0.2.4"], "192.0.2.4"),
        ([b"198.51.100.9, 192.0.2.4, 10.0.0.2"], "192.0.2.4"),
        ([b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ([b"192.0.2.4:55100"], "192.0.2.4"),
        ([b"[2001:db8:2::7]:443"], "2001:db8:2::7"),
        ([b"2001:db8:1::7"], "2001:db8:1::7"),
        ([b"::ffff:192.0.2.4"], "192.0.2.4"),
        # Not an address: the search ends at the proxy that passed it on.
        ([b"unknown"], "10.0.0.1"),
        ([b"192.0.2.4, _hidden, 10.0.0.2"], "10.0.0.2"),
        ([b"192.0.2.4,"], "10.0.0.1"),
        ([b"1" * 5000], "10.0.0.1"),
    ],
)
def test_the_rightmost_address_that_is_not_a_trusted_proxy_counts(
    forwarded_for: list[bytes], counts: str
) -> None:
    """Whoever chose their own address would have as many tries at a password as they like."""
    assert first_untrusted("10.0.0.1", forwarded_for, PROXIES) == counts


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.0.0.7", True),
        ("10.0.0.8", False),
        ("::ffff:10.0.0.7", True),
        ("2001:db8:1::9", True),
        ("", False),
    ],
)
def test_a_proxy_is_trusted_by_its_address_alone(address: str, trusted: bool) -> None:
    assert is_in(address, PROXIES) is trusted


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (("192.0.2.4", 1), "192.0.2.4"),
        (("2001:db8:2:3:4:5:6:7", 1), "2001:db8:2:3::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (None, UNKNOWN),
    ],
)
def test_one_machine_is_counted_as_one(client: tuple[str, int] | None, key: str) -> None:
    """A machine has a whole IPv6 network of addresses to try from."""
    scope = {"type": "http", "client": client}
    assert client_key(scope) == key
    assert client_of(scope) == (client[0] if client else UNKNOWN)
