"""Ed25519 keys in files, such as the audit key and the release key. PEM, mode 0600, in the keys folder.

The public half lies beside each as NAME.pub.pem: give that of the audit key to whoever shall be able to
verify an exported log, and that of the release key to whoever receives release packages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from phems.adapters.durable_files import create, replace
from phems.errors import InputError, UnavailableError

AUDIT_KEY = "audit"
CAPABILITY_KEY = "capability"
RELEASE_KEY = "release"

_PUBLIC = "Name the file audit.pub.pem from the keys folder of the node."


class SigningKey:
    """A private key; `Signer` of the audit port."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public_key = base64.b64encode(raw).decode()
        self.key_id = key_id(self.public_key)

    def sign(self, data: bytes) -> str:
        """The signature, base64."""
        return base64.b64encode(self._private.sign(data)).decode()

    def private_pem(self) -> bytes:
        """The key, PKCS #8 PEM, without a passphrase."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_pem(self) -> bytes:
        """The public half, PEM."""
        return self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_or_create_key(keys: Path, name: str) -> SigningKey:
    """The key `name` of the keys folder, made when it is missing."""
    path = keys / f"{name}.pem"
    if not path.exists():
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        create(path, SigningKey(Ed25519PrivateKey.generate()).private_pem())
    key = load_key(path)
    public = keys / f"{name}.pub.pem"
    if not public.exists() or public.read_bytes() != key.public_pem():
        replace(public, key.public_pem(), mode=0o644)
    return key


def load_key(path: Path) -> SigningKey:
    """The private key in a file; UnavailableError when it cannot be read."""
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnavailableError(
            f"The key {path} cannot be read.",
            why=str(error),
            remedy="Restore the keys folder from a backup, or run as the user that runs the node.",
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise UnavailableError(f"The key {path} is not an Ed25519 key.", remedy="Restore it from a backup.")
    return SigningKey(private)


def load_public_key(path: Path) -> str:
    """The raw public key, base64, of a PEM file."""
    try:
        public = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"{path} is not a public key.", why=str(error), remedy="Name a file NAME.pub.pem."
        ) from error
    if not isinstance(public, Ed25519PublicKey):
        raise InputError(
            f"{path} is not an Ed25519 public key.", remedy="Name the file audit.pub.pem of the node."
        )
    return base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def public_key_given(value: str) -> str:
    """The raw public key, base64, that somebody named: by a PEM file, or as base64 itself."""
    if Path(value).is_file():
        return load_public_key(Path(value))
    try:
        raw = base64.b64decode(value, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError) as error:
        raise InputError(
            f"{value!r} is not a public key.",
            why="there is no such file, and it is not the base64 of an Ed25519 key.",
            remedy="Name a file NAME.pub.pem, or the key as the node prints it: phems release key",
        ) from error
    return base64.b64encode(raw).decode()


def key_id(public_key: str) -> str:
    """A short name of a public key (base64): for people to compare, and in what it signed."""
    return hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:16]


def signature_matches(public_key: str, data: bytes, signature: str) -> bool:
    """Whether `signature` (base64) over `data` was made with the private half of `public_key` (base64)."""
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        public.verify(base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
