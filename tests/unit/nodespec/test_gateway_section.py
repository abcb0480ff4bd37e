"""What the gateway's section of node.yaml amounts to."""

from __future__ import annotations

import pytest

from phems.errors import InputError
from phems.nodespec.gateway import Gateway, Metrics, Tls

TLS = Tls(certificate="a", key="b")


@pytest.mark.parametrize(
    ("gateway", "https", "host"),
    [
        (Gateway(), False, None),
        (Gateway(tls=TLS), True, None),
        (Gateway(public_url="https://node.example:8443"), True, "node.example"),
        (Gateway(public_url="http://[::1]:3000"), False, "::1"),
    ],
)
def test_the_public_address_decides_how_people_reach_the_node(
    gateway: Gateway, https: bool, host: str | None
) -> None:
    """A cookie that is not Secure behind https would travel in the clear once."""
    assert (gateway.is_https, gateway.public_host) == (https, host)


def test_the_token_of_prometheus_comes_from_the_environment() -> None:
    """A missing variable must not leave /metrics open, nor closed without a word."""
    assert Metrics().secret({}) is None
    named = Metrics(token="env:SCRAPE")
    assert named.secret({"SCRAPE": "abc"}) == "abc"
    with pytest.raises(InputError, match="SCRAPE") as told:
        named.secret({"SCRAPE": ""})
    assert "export SCRAPE" in told.value.remedy
