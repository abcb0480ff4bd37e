"""Reaching the broker by AMQP with a project's login: what a worker does first, and `phems doctor` tries."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp

from phems.adapters.rabbitmq.logins import REMEDY, BrokerLogin
from phems.adapters.rabbitmq.management import tls_context
from phems.errors import UnavailableError
from phems.nodespec import Broker

TIMEOUT_SECONDS = 5.0


def tls_options(url: str, ca: Path | None) -> dict[str, Any] | None:
    """What AMQP clients are told of TLS, None without it: the broker proves to be who its address names."""
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return None
    # Named here, for a client that is told of no name checks none.
    options = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname}
    return options if ca is None else {**options, "ca_certs": str(ca)}


def server_reached(broker: Broker, login: BrokerLogin, ca: Path | None = None) -> str:
    """Sign in to a project's vhost, and out again; gives what answered, such as `RabbitMQ 3.10.8`.

    UnavailableError says whether nobody answers, or the login is refused, and what to do about it.
    """
    if ca is not None:
        tls_context(ca)  # a file that cannot be read is told as such
    host = f"[{broker.host}]" if ":" in broker.host else broker.host
    connection = amqp.Connection(
        f"{host}:{broker.port}",
        userid=login.user,
        password=login.password,
        virtual_host=login.vhost,
        ssl=tls_options(broker.url, ca) or False,
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        write_timeout=TIMEOUT_SECONDS,
    )
    try:
        connection.connect()
        properties = connection.server_properties
        connection.close()
    except (amqp.AccessRefused, amqp.NotAllowed) as error:
        raise UnavailableError(
            f"The broker does not let {login.user} into {login.vhost}.",
            why=str(error.reply_text or error)[:200],
            remedy=REMEDY,
        ) from error
    except (amqp.AMQPError, OSError) as error:
        raise UnavailableError(
            f"The broker at {broker.url} cannot be reached.",
            why=f"{error or type(error).__name__}"[:200],
            remedy="See that RabbitMQ runs there, and that broker.url and broker.ca in node.yaml are right.",
        ) from error
    return f"{properties.get('product', 'a broker')} {properties.get('version', '')}".strip()
