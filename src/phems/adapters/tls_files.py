"""The files for TLS: what is wrong with them, and the context that serves them as they change."""

from __future__ import annotations

import datetime as dt
import logging
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from phems.errors import InputError

_LOG = logging.getLogger("phems.tls")
OTHERS_READ = 0o004
# TLS 1.2 with forward secrecy and authenticated encryption alone; 1.3 has no others.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

Fault = tuple[str, str, str, str]
"""Which of the two files (`certificate`, `key`), what is wrong with it, why, and the remedy."""


def tls_fault(certificate: Path, key: Path, now: dt.datetime) -> Fault | None:
    """The first thing that is wrong with the two files; None when they can be served."""
    for name, file in (("certificate", certificate), ("key", key)):
        if not file.is_file():
            return name, f"{file} does not exist", "TLS needs it", "name the file, relative to node.yaml"
        if not os.access(file, os.R_OK):
            remedy = f"as root: chown {os.getuid()} {file}"
            return name, f"{file} cannot be read", "this user has no right to", remedy
    if key.stat().st_mode & OTHERS_READ:
        why = "whoever has it can pass for this node"
        return "key", f"{key} can be read by every user of this machine", why, f"chmod o-rwx {key}"
    return _content_fault(certificate, key, now)


def _content_fault(certificate: Path, key: Path, now: dt.datetime) -> Fault | None:
    try:
        first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    except (ValueError, IndexError):
        remedy = "write the certificate first, then those of its issuers, each as -----BEGIN CERTIFICATE-----"
        return "certificate", f"{certificate} holds no certificate", "it is not PEM", remedy
    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError):
        why = "it is not PEM, or needs a pass phrase that nobody is there to type"
        return "key", f"{key} holds no private key", why, f"openssl pkey -in {key} -out NEW"
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*spki) != first.public_key().public_bytes(*spki):
        why = f"the first certificate in {certificate} is of another key"
        return "key", f"{key} does not belong to the certificate", why, "name the key it was made with"
    if first.not_valid_after_utc <= now:
        until = f"{first.not_valid_after_utc:%Y-%m-%d}"
        return "certificate", f"{certificate} has expired", f"it was valid until {until}", "have it renewed"
    return None


def expiry(certificate: Path) -> dt.datetime:
    """Until when a certificate that can be served is valid."""
    return x509.load_pem_x509_certificates(certificate.read_bytes())[0].not_valid_after_utc


class TlsFiles:
    """A server's certificate and key, and the context that serves them."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate = certificate
        self.key = key
        self._seen = self._stamp()
        self.context = self._made()

    def look_again(self) -> bool:
        """Serve the files as they are now to who connects from now on; True when they were taken up.

        What does not fit together yet (one of the two is written before the other) is left alone, and told.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self._made()
            self.context.load_cert_chain(self.certificate, self.key)
        except (InputError, OSError) as error:
            _LOG.warning("The new TLS files cannot be served; the ones before still are: %s", error)
            return False
        _LOG.warning("The TLS files have changed: the new ones are served from now on.")
        return True

    def _made(self) -> ssl.SSLContext:
        fault = tls_fault(self.certificate, self.key, dt.datetime.now(dt.UTC))
        if fault is not None:
            name, what, why, remedy = fault
            raise InputError(
                f"gateway.tls.{name} in node.yaml cannot be used: {what}.", why=why, remedy=remedy
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self.certificate, self.key)
        return context

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        stamps = []
        for file in (self.certificate, self.key):
            try:
                found = file.stat()
            except OSError:
                stamps.append((0, 0, 0))
                continue
            stamps.append((found.st_mtime_ns, found.st_ino, found.st_size))
        return tuple(stamps)
