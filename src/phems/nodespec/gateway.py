"""The gateway in the node spec: where people reach the node, through what, and how much each may ask."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from phems.nodespec.base import Section
from phems.nodespec.names import FromEnvironment, PathText, StrictBool, StrictInt, matching, refuse
from phems.nodespec.variables import value_of

_PUBLIC_URL = r"https?://([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?"
_RATE = r"[1-9][0-9]{0,6}/(second|minute|hour)"


_public_url = matching(
    _PUBLIC_URL,
    what="{value} is not the address of a site",
    why="it is a scheme, a name in small letters and maybe a port: the node takes the whole site",
    remedy="write it as in https://node.hospital.example, without a slash at its end",
)


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise refuse(
            f"{value[:80]!r} is not an address or a network",
            why="a proxy is known by the address it connects from",
            remedy="write it as in 10.0.0.7 or 10.0.0.0/29",
        ) from None
    if network.prefixlen == 0:
        raise refuse(
            f"{value} is everybody",
            why="whoever is trusted says which address a request comes from, and could say anything",
            remedy="write the addresses of your own proxies alone",
        )
    return value


_rate = matching(
    _RATE,
    what="{value} is not a rate",
    why="a rate is how many in a second, a minute or an hour",
    remedy="write it as in 600/minute",
)


PublicUrl = Annotated[
    str, AfterValidator(_public_url), Field(json_schema_extra={"pattern": f"^{_PUBLIC_URL}$"})
]
Network = Annotated[str, AfterValidator(_network)]
Rate = Annotated[str, AfterValidator(_rate), Field(json_schema_extra={"pattern": f"^{_RATE}$"})]


class Tls(Section):
    """TLS that the gateway speaks itself. Both files are read again when they change: no restart."""

    certificate: PathText = Field(
        description="The certificate with those of its issuers, PEM, relative to node.yaml."
    )
    key: PathText = Field(
        description="Its private key, PEM, unencrypted: for the node's user alone (chmod 600)."
    )


class RateLimits(Section):
    """How often one person may ask (one address, where nobody is signed in), in a moving window."""

    sign_in: Rate = Field(default="30/minute", description="Tries to sign in, from one address.")
    strangers: Rate = Field(
        default="300/minute", description="Requests that nobody known is behind, from one address."
    )
    probes: Rate = Field(default="600/minute", description="/readyz and /metrics, from one address.")
    webhooks: Rate = Field(default="120/minute", description="Webhooks of Code Repos, from one address.")
    graphql: Rate = Field(default="6000/minute", description="GraphQL: a page of Dagster's UI asks 50 times.")
    writes: Rate = Field(default="1200/minute", description="Everything else that changes something.")
    downloads: Rate = Field(default="600/minute", description="Files, logs and packages.")
    reads: Rate = Field(default="12000/minute", description="Pages, and everything else that is read.")


class Connections(Section):
    """How much may be open at once. A trusted proxy counts as none: those behind it do."""

    total: StrictInt = Field(default=1000, ge=10, le=60_000, description="Connections to the gateway.")
    per_address: StrictInt = Field(default=200, ge=4, le=60_000, description="Connections from one address.")
    requests_per_person: StrictInt = Field(
        default=100, ge=4, le=10_000, description="Requests of one person that wait for their answer."
    )
    websockets_per_person: StrictInt = Field(
        default=50, ge=1, le=10_000, description="WebSockets of one person: a page of Dagster's UI holds one."
    )


class Metrics(Section):
    """Who may read /metrics, beside operators and auditors."""

    token: FromEnvironment | None = Field(
        default=None,
        description="env:NAME of the token that Prometheus sends (Authorization: Bearer); unset: programs on "
        "this machine may read them without one.",
    )

    def secret(self, environ: Mapping[str, str]) -> str | None:
        """The token itself; InputError when the variable that node.yaml names is not set."""
        return value_of(self.token, environ, key="gateway.metrics.token", example="$(openssl rand -hex 32)")


class Gateway(Section):
    """Where people reach the node."""

    host: str = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: StrictInt = Field(default=3000, ge=1, le=65_535, description="The port to listen on.")
    allow_remote: StrictBool = Field(
        default=False,
        description="Must be true for an address that other machines can reach, which needs tls or "
        "trusted_proxies, too.",
    )
    public_url: PublicUrl | None = Field(
        default=None,
        description="The address that people use, when it is not that of host and port, such as "
        "https://node.hospital.example.",
    )
    tls: Tls | None = Field(default=None, description="The files for TLS; unset: plain HTTP.")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="Addresses or networks of the proxies before the node. What they say of who connects to "
        "them (X-Forwarded-For, -Proto, -Host) is believed, and nobody else.",
    )
    rate_limits: RateLimits = Field(default=RateLimits(), description="How often one person may ask.")
    connections: Connections = Field(default=Connections(), description="How much may be open at once.")
    metrics: Metrics = Field(default=Metrics(), description="Who may read /metrics.")

    @property
    def is_https(self) -> bool:
        """Whether people reach the node by https."""
        if self.public_url is not None:
            return self.public_url.startswith("https:")
        return self.tls is not None

    @property
    def public_host(self) -> str | None:
        """The name in `public_url`, without the port."""
        return urlsplit(self.public_url).hostname if self.public_url is not None else None
