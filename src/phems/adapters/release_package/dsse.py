"""DSSE envelopes (https://github.com/secure-systems-lab/dsse, v1.0) around in-toto statements, with Ed25519.

Ed25519 is deterministic and the envelope canonical JSON: the same payload and key give the same bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from phems.adapters.signing import SigningKey, key_id
from phems.domain.canonical import canonical, parse
from phems.domain.provenance import PAYLOAD_TYPE, RELEASE, read_statement
from phems.errors import IntegrityError


class DssePackageSigner:
    """`PackageSigner` with a key of the keys folder."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self.key_id = key.key_id
        self.public_key = key.public_key

    def seal(self, payload: bytes) -> bytes:
        """See the port."""
        from securesystemslib.dsse import Envelope
        from securesystemslib.signer import Signature  # type: ignore[attr-defined]

        envelope = Envelope(payload, PAYLOAD_TYPE, {})
        raw = base64.b64decode(self._key.sign(envelope.pae()))
        envelope.signatures = {self.key_id: Signature(self.key_id, raw.hex())}
        return canonical(envelope.to_dict())

    def opened(self, envelope: bytes) -> bytes:
        """See the port."""
        return open_envelope(envelope, self.public_key)


def open_envelope(envelope: bytes, public_key: str) -> bytes:
    """The payload of an envelope that the private half of `public_key` (base64) sealed.

    Raises `IntegrityError` for what is no envelope, holds something else, or is signed by nobody or another.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    sealed = _envelope(Envelope, envelope)
    if sealed.payload_type != PAYLOAD_TYPE:
        raise _not_sealed(f"it holds {sealed.payload_type!r}, and not an in-toto statement.")
    name = key_id(public_key)
    key = SSlibKey(name, "ed25519", "ed25519", {"public": base64.b64decode(public_key).hex()})
    try:
        sealed.verify([key], threshold=1)
    except VerificationError as error:
        names = ", ".join(sorted(sealed.signatures)) or "nobody"
        raise _not_sealed(f"it is signed by {names}, and not by {name} over these bytes.") from error
    payload: bytes = sealed.payload
    return payload


def unverified_subjects(envelope: bytes) -> Mapping[str, str]:
    """The SHA-256 of each file of a package by its path, as its attestation says, unverified."""
    try:
        payload = base64.b64decode(parse(envelope)["payload"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_sealed(f"it is no DSSE envelope ({error!r}).") from error
    return read_statement(payload, RELEASE).subjects


def _envelope(kind: Any, envelope: bytes) -> Any:
    try:
        return kind.from_dict(parse(envelope))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise _not_sealed(f"it is no DSSE envelope ({error!r}).") from error


def _not_sealed(why: str) -> IntegrityError:
    return IntegrityError(
        "The signature does not hold.",
        why=why,
        remedy="Compare the key with the node's: phems release key. Then fetch the package again.",
    )
