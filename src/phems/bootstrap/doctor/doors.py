"""Checks on how people get in: the gateway's port, its TLS files, and the identity provider."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Iterator

from phems.adapters.node_check import port_faults
from phems.adapters.node_lock import NodeLock
from phems.adapters.oidc.metadata import ProviderMetadata
from phems.adapters.secret_places import secret_at
from phems.adapters.tls_files import expiry, tls_fault
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok, warning

EXPIRES_SOON = dt.timedelta(days=21)
CONNECT_SECONDS = 3.0


def look_at_gateway_port(patient: Patient) -> Iterator[Seen]:
    """The gateway's port is free, or the running node holds it."""
    gateway = patient.spec.gateway
    where = f"{gateway.host} port {gateway.port}"
    if not patient.is_running:
        faults = [fault for _, fault in port_faults(patient.spec)]
        for what, why, remedy in faults:
            yield failed(f"{what}: {why}", remedy)
        if not faults:
            yield ok(f"{where} is free")
        return
    pid = NodeLock(patient.paths.lock).holder()
    try:
        socket.create_connection((gateway.host.strip("[]"), gateway.port), CONNECT_SECONDS).close()
    except OSError as error:
        what = f"the node runs (process {pid}), and nobody answers at {where}: {error.strerror or error}"
        yield warning(what, "See its log; it may serve another port (phems status)")
    else:
        yield ok(f"the running node (process {pid}) answers at {where}")


def look_at_tls(patient: Patient) -> Iterator[Seen]:
    """The gateway's TLS files can be served, and will be for a while."""
    tls = patient.spec.gateway.tls
    assert tls is not None  # noqa: S101 (the table says when this check applies)
    certificate, key = patient.paths.resolve(tls.certificate), patient.paths.resolve(tls.key)
    now = dt.datetime.now(dt.UTC)
    fault = tls_fault(certificate, key, now)
    if fault is not None:
        _, what, why, remedy = fault
        yield failed(f"{what}: {why}", remedy)
        return
    until = expiry(certificate)
    told = f"{certificate} is valid until {until:%Y-%m-%d}"
    if until - now < EXPIRES_SOON:
        yield warning(told, "Have it renewed; the node takes the new files up without a restart")
    else:
        yield ok(told)


def look_at_identity_provider(patient: Patient) -> Iterator[Seen]:
    """The identity provider answers, is who node.yaml says, and the secret for it can be read."""
    oidc = patient.spec.identity.oidc
    assert oidc is not None  # noqa: S101 (as above)
    secret_at(oidc.client_secret, patient.paths.folder, os.environ, key="identity.oidc.client_secret")
    ProviderMetadata(oidc.issuer).document()
    yield ok(f"{oidc.issuer} answers")
