"""The message broker in the node spec: the RabbitMQ that carries steps to workers in profile `server`."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from phems.nodespec.base import Section
from phems.nodespec.names import PathText, refuse

_HOST = r"([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?"
_AMQP = rf"amqps?://{_HOST}/?"
_MANAGEMENT = rf"https?://{_HOST}(/[A-Za-z0-9._~/-]*)?"
AMQP_PORT = 5672
AMQPS_PORT = 5671


def _without_login(value: str) -> str:
    # Looked for in the text, and not in what it parses to: a password may hold anything.
    if "@" in value:
        raise refuse(
            "the address holds a user or a password",
            why="node.yaml is kept in Git, and is no place for secrets; each project has a login of its own",
            remedy="write the address without them, then: phems broker init",
        )
    return value


def _amqp(value: str) -> str:
    if re.fullmatch(_AMQP, value, re.ASCII) is None:
        raise refuse(
            f"{value[:80]!r} is not the address of a broker",
            why="it is amqp or amqps, a name and maybe a port; the node gives each project a vhost there",
            remedy="write it as in amqps://rabbitmq.hospital.example:5671",
        )
    return value.rstrip("/")


def _management(value: str) -> str:
    if re.fullmatch(_MANAGEMENT, value, re.ASCII) is None:
        raise refuse(
            f"{value[:80]!r} is not the address of RabbitMQ's management API",
            why="it is http or https, a name, and maybe a port and a path",
            remedy="write it as in https://rabbitmq.hospital.example:15671",
        )
    return value.rstrip("/")


BrokerUrl = Annotated[
    str,
    AfterValidator(_without_login),
    AfterValidator(_amqp),
    Field(json_schema_extra={"pattern": f"^{_AMQP}$"}),
]
ManagementUrl = Annotated[
    str,
    AfterValidator(_without_login),
    AfterValidator(_management),
    Field(json_schema_extra={"pattern": f"^{_MANAGEMENT}$"}),
]


class Broker(Section):
    """The RabbitMQ that carries steps to workers; `phems broker init` makes a login for each project."""

    url: BrokerUrl = Field(
        description="Where workers and the orchestrator reach it: amqp:// or amqps:// with a name and a "
        "port, without user or password."
    )
    management: ManagementUrl = Field(
        description="Its management API (http:// or https://): phems broker init and phems doctor ask it, "
        "and it says how deep the queues are."
    )
    ca: PathText | None = Field(
        default=None,
        description="The certificates, PEM, of who may vouch for the broker (relative to node.yaml); "
        "unset: those that this machine trusts.",
    )

    @property
    def is_tls(self) -> bool:
        """Whether what is sent to the broker is encrypted."""
        return self.url.startswith("amqps:")

    @property
    def host(self) -> str:
        """The broker's name or address."""
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        """Its port; AMQP's own where none is written."""
        return urlsplit(self.url).port or (AMQPS_PORT if self.is_tls else AMQP_PORT)


def vhost_of(node: str, project: str) -> str:
    """The vhost of a project, which its user is called by, too."""
    return f"phems.{node}.{project}"
