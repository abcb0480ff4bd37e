"""The keys that control processes and the pods of project hosts know each other by: all from one secret.

Control processes have the secret. A project's pod is given the one key that is its own, and the control
processes' certificate: with these it can be the host of its project, and nothing else. The same secret
gives the same keys, so nothing is kept, and a project that is added needs no other's changed.
"""

from __future__ import annotations

import datetime as dt
import os
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from phems.contract.host_pod import CERTIFICATE_FILE, CONTROL_FILE, CONTROL_NAME, KEY_FILE, server_name
from phems.errors import InputError

SECRET_LENGTH = 32
# A certificate says nothing but whose key it is: it is as old as the secret, and ends with it.
_FROM, _UNTIL = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2126, 1, 1, tzinfo=dt.UTC)
_SERIAL_BITS = 159


@dataclass(frozen=True)
class Pair:
    """A private key and its certificate, as PEM."""

    key: bytes
    certificate: bytes


class HostKeys:
    """All keys that come of a secret."""

    def __init__(self, secret: str) -> None:
        if len(secret) < SECRET_LENGTH:
            raise InputError(
                f"The secret of kubernetes.hosts.key has {len(secret)} characters.",
                why=f"{SECRET_LENGTH} at least keep it from being guessed.",
                remedy="Make one: openssl rand -hex 32",
            )
        self._secret = secret.encode()
        self.control = self._pair(CONTROL_NAME, ExtendedKeyUsageOID.CLIENT_AUTH)

    def of_project(self, project: str) -> Pair:
        """What the pod of a project's host shows."""
        return self._pair(server_name(project), ExtendedKeyUsageOID.SERVER_AUTH)

    def files_of(self, project: str) -> dict[str, str]:
        """The files of a pod: see `contract.host_pod`."""
        pair = self.of_project(project)
        return {
            KEY_FILE: pair.key.decode(),
            CERTIFICATE_FILE: pair.certificate.decode(),
            CONTROL_FILE: self.control.certificate.decode(),
        }

    def context_for(self, project: str) -> ssl.SSLContext:
        """How a control process speaks with the pod of this project's host, and with no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=self.of_project(project).certificate.decode())
        # Python reads a key from a path: this one is in memory.
        with os.fdopen(os.memfd_create("host", os.MFD_CLOEXEC), "wb", buffering=0) as both:
            both.write(self.control.key + self.control.certificate)
            context.load_cert_chain(f"/proc/self/fd/{both.fileno()}")
        return context

    def _pair(self, name: str, use: x509.ObjectIdentifier) -> Pair:
        key = Ed25519PrivateKey.from_private_bytes(self._derived("key", name))
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "phems project host")])
        serial = int.from_bytes(self._derived("serial", name)) >> (256 - _SERIAL_BITS)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(who)
            .issuer_name(who)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(_FROM)
            .not_valid_after(_UNTIL)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .sign(key, None)
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Pair(secret, certificate.public_bytes(serialization.Encoding.PEM))

    def _derived(self, what: str, name: str) -> bytes:
        info = f"phems project hosts: {what} of {name}".encode()
        return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(self._secret)
