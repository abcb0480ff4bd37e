"""Checks on RabbitMQ: each project gets in with its own login, and the management API answers."""

from __future__ import annotations

from collections.abc import Iterator

from phems.adapters.rabbitmq.connection import server_reached
from phems.adapters.rabbitmq.logins import load_login
from phems.adapters.rabbitmq.management import look_for_api
from phems.bootstrap.broker import broker_of, ca_of
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok, warning
from phems.errors import PhemsError
from phems.nodespec.gateway_rules import is_loopback


def look_at_logins(patient: Patient) -> Iterator[Seen]:
    """Each project's login gets in to its own vhost: asked of the broker by AMQP, as workers do."""
    broker = broker_of(patient.spec)
    for project in patient.spec.projects:
        try:
            login = load_login(patient.paths.keys, project)
            reached = server_reached(broker, login, ca_of(broker, patient.paths))
        except PhemsError as error:
            yield failed(f"{error.what} {error.why}", error.remedy, about=project)
        else:
            yield ok(f"{reached} lets {login.user} in", about=project)
    if not broker.is_tls and not is_loopback(broker.host):
        what = "passwords and the names of steps cross the network in the clear"
        yield warning(
            what, "Write amqps:// in broker.url, and broker.ca where the hospital has a CA of its own"
        )


def look_at_management(patient: Patient) -> Iterator[Seen]:
    """The management API answers, and asks for a login."""
    broker = broker_of(patient.spec)
    look_for_api(broker.management, ca=ca_of(broker, patient.paths))
    yield ok(f"{broker.management} answers")
