"""The certificate of a worker's storage service: made at its start for its address, told to its pods alone.

There is no authority behind it, and no name in it to look up: who is to trust it has the certificate itself.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# It ends with the process that made it; clocks of machines may differ.
_BEFORE = dt.timedelta(days=1)
_AFTER = dt.timedelta(days=3650)


def wall_certificate(address: str, now: dt.datetime) -> tuple[ssl.SSLContext, str]:
    """How a storage service at this IP address speaks TLS, and the certificate (PEM) that it shows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "phems storage service")])
    held_by = x509.IPAddress(ipaddress.ip_address(address))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([held_by]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _context(pem, secret), pem.decode()


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # every connection shows what it has anew
    # The key is never in a file of a disk: Python reads it from a path, so it has one in memory.
    with os.fdopen(os.memfd_create("wall", os.MFD_CLOEXEC), "wb", buffering=0) as both:
        both.write(key + certificate)
        context.load_cert_chain(f"/proc/self/fd/{both.fileno()}")
    return context
