"""The keys of approvers as files: port `ApproverKeys`, below `approvers` in the keys folder.

    approvers/PERSON/KEYID.pub.pem   a public key that is trusted as this person's
    approvers/PERSON/KEYID.pem       its private half, mode 0600, where the node holds it
    approvers/PERSON/KEYID.revoked   the key was revoked; nothing brings it back

Without the first file a key in the database counts for nothing: who can write to the database alone can
neither add an approver's key nor undo a revocation.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from phems.adapters.durable_files import create, sync_folder
from phems.adapters.signing import SigningKey, key_id, load_key, signature_matches
from phems.domain import sign_in
from phems.domain.approvals import Signature
from phems.errors import InputError, NotFoundError, RefusedError, UnavailableError

_PRIVATE, _PUBLIC, _REVOKED = ".pem", ".pub.pem", ".revoked"


class FolderApproverKeys:
    """The approvers' keys below a node's keys folder."""

    def __init__(self, keys: Path) -> None:
        self._root = keys / "approvers"

    def id_of(self, public_key: str) -> str:
        """See the port."""
        public_pem(public_key)
        return key_id(public_key)

    def make(self, person: str) -> str:
        """See the port."""
        key = SigningKey(Ed25519PrivateKey.generate())
        create(self._place(person, key.key_id, _PRIVATE), key.private_pem())
        self.trust(person, key.public_key)
        return key.public_key

    def trust(self, person: str, public_key: str) -> str:
        """See the port."""
        pem = public_pem(public_key)
        name = key_id(public_key)
        if self._place(person, name, _REVOKED).exists():
            raise RefusedError(
                f"The key {name} of {person} cannot be registered.",
                why="it was revoked.",
                remedy=f"Make another: phems user key {person} --new",
            )
        create(self._place(person, name, _PUBLIC), pem, mode=0o644)
        return name

    def distrust(self, person: str, key_id: str) -> None:
        """See the port."""
        # The tombstone first: a crash in between leaves a key that is no longer trusted.
        create(self._place(person, key_id, _REVOKED), b"")
        for kind in (_PUBLIC, _PRIVATE):
            self._place(person, key_id, kind).unlink(missing_ok=True)
        sync_folder(self._root / person)

    def trusts(self, person: str, key_id: str, public_key: str) -> bool:
        """See the port."""
        if self._place(person, key_id, _REVOKED).exists():
            return False
        try:
            kept = self._place(person, key_id, _PUBLIC).read_bytes()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unreadable(self._root / person, error) from error
        return kept == public_pem(public_key)

    def sign(self, person: str, statement: bytes, key_id: str | None = None) -> Signature:
        """See the port."""
        folder = self._root / sign_in.check_name(person)
        mine = [path for path in folder.glob(f"*{_PRIVATE}") if not path.name.endswith(_PUBLIC)]
        if key_id is not None:
            mine = [path for path in mine if path.name == key_id + _PRIVATE]
        if not mine:
            raise NotFoundError(
                f"The node holds no key of {person} to sign with.",
                why=f"{folder} has none{f' named {key_id}' if key_id else ''}.",
                remedy=f"Register a new one: phems user key {person} --new",
            )
        key = load_key(max(mine, key=lambda path: path.stat().st_mtime_ns))
        return Signature(key.key_id, key.sign(statement))

    def verifies(self, public_key: str, statement: bytes, signature: str) -> bool:
        """See the port."""
        return signature_matches(public_key, statement, signature)

    def _place(self, person: str, key_id: str, kind: str) -> Path:
        folder = self._root / sign_in.check_name(person)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unreadable(folder, error) from error
        return folder / (key_id + kind)


def public_pem(public_key: str) -> bytes:
    """A public key (raw, base64) as PEM; InputError when it is none."""
    try:
        raw = base64.b64decode(public_key, validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError) as error:
        raise InputError(
            "This is no Ed25519 public key.",
            why=str(error),
            remedy="Make a pair with: openssl genpkey -algorithm ed25519 -out my.pem; "
            "openssl pkey -in my.pem -pubout -out my.pub.pem",
        ) from error
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _unreadable(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"The approvers' keys in {folder} cannot be used.",
        why=error.strerror or str(error),
        remedy="Run as the user that runs the node; or restore the keys folder from a backup.",
    )
