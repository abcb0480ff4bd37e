"""Rules on where people reach the node: other machines never in the clear, and only where that is meant."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from phems.nodespec.document import Loc
from phems.nodespec.findings import Finding
from phems.nodespec.models import NodeSpec


def remote_gateway_is_meant(spec: NodeSpec) -> Iterator[Finding]:
    """Other machines reach the gateway only where that is meant, and never in the clear."""
    gateway = spec.gateway
    if is_loopback(gateway.host):
        return
    if not gateway.allow_remote:
        yield Finding(
            ("gateway", "host"),
            f"{gateway.host} can be reached from other machines",
            "gateway.allow_remote is not true",
            "write 127.0.0.1, or add gateway.allow_remote: true with gateway.tls or trusted_proxies",
            (("gateway", "allow_remote"),),
        )
    elif gateway.tls is None and not gateway.trusted_proxies:
        yield Finding(
            ("gateway", "host"),
            f"{gateway.host} would be reached by plain HTTP",
            "passwords and results would cross the network in the clear",
            "add gateway.tls: {certificate: FILE, key: FILE}, or name the proxy that speaks TLS "
            "under gateway.trusted_proxies",
            (("gateway", "tls"), ("gateway", "trusted_proxies")),
        )


def public_address_is_served(spec: NodeSpec) -> Iterator[Finding]:
    """The scheme of the address that people use is one that the gateway, or a proxy, speaks."""
    gateway = spec.gateway
    if gateway.public_url is None:
        return
    https = gateway.public_url.startswith("https:")
    reads: tuple[Loc, ...] = (("gateway", "tls"), ("gateway", "trusted_proxies"))
    if https and gateway.tls is None and not gateway.trusted_proxies:
        yield Finding(
            ("gateway", "public_url"),
            "is https, and nothing speaks it",
            "there are neither gateway.tls nor gateway.trusted_proxies",
            "add one of them, such as trusted_proxies: [127.0.0.1] for a proxy on this machine",
            reads,
        )
    elif not https and (gateway.tls is not None or not is_loopback(gateway.host)):
        yield Finding(
            ("gateway", "public_url"),
            "is plain HTTP",
            "people would send their passwords in the clear, or not reach the node at all",
            "write https://",
            reads,
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
