"""Connections to the wall: over a Unix socket of this machine, or by TLS to a worker elsewhere.

A pod has the one certificate that it is to meet there, and the address: it looks up no name, and trusts no
authority. Nothing is ever said over a network without TLS.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from phems.errors import InputError

CONNECT_SECONDS = 30.0
Connect = Callable[[], socket.socket]
"""Opens a connection; raises `OSError` when it cannot be had, or is not with whom it should be."""


def unix_connection(path: str) -> Connect:
    """To the Unix socket at `path`."""

    def connect() -> socket.socket:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            peer.settimeout(CONNECT_SECONDS)
            peer.connect(path)
            peer.settimeout(None)
        except OSError:
            peer.close()
            raise
        return peer

    return connect


def tls_connection(address: str, certificate: str) -> Connect:
    """To `address`, an IP address and a port, which must show this certificate (PEM)."""
    host, port = _parts(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it asks for a certificate, and compares the address
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=certificate)

    def connect() -> socket.socket:
        raw = socket.create_connection((host, port), CONNECT_SECONDS)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            peer = context.wrap_socket(raw, server_hostname=host)
        except OSError:
            raw.close()
            raise
        peer.settimeout(None)
        return peer

    return connect


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"{address[:80]!r} is no address of a storage service.")
    return host.strip("[]"), int(port)
