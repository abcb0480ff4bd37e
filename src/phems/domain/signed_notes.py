"""Signed notes: text that keys have signed, as people and other tools read it (c2sp.org/signed-note).

A note is its text, an empty line, and a line for each signature:

    — <key name> <base64 of a 4-byte key id and the signature>

The key id is a hint, cut from a hash over name and key; only the signature proves anything. Signatures here
are Ed25519 (type 0x01); lines of keys that are not ours, such as those of witnesses, are kept and ignored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

SignatureCheck = Callable[[str, bytes, str], bool]
"""Whether a signature fits: public key (base64), what was signed, signature (base64)."""

ED25519 = b"\x01"
_KEY_SIZE = 32
_ID_SIZE = 4
_MOST_SIGNATURES = 64
_DASH = "— "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under."""

    name: str
    public_key: bytes
    """Raw Ed25519, 32 bytes."""

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public_key) != _KEY_SIZE:
            raise ValueError("an Ed25519 public key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        """The four bytes that the key's signature lines begin with."""
        named = self.name.encode() + b"\n" + ED25519 + self.public_key
        return hashlib.sha256(named).digest()[:_ID_SIZE]

    def __str__(self) -> str:
        """As the note tools of Go and the witnesses write it: name+id+key."""
        key = base64.b64encode(ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key of its written form; ValueError says what is wrong with it."""
        name, key_id, encoded = _three(text.strip().split("+", 2))
        raw = _decoded(encoded)
        if raw[:1] != ED25519:
            raise ValueError("the key is not an Ed25519 key")
        key = cls(name, raw[1:])
        if key.key_id.hex() != key_id:
            raise ValueError("the key id is not that of the key")
        return key


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature of a note."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text and who signed it. What the text says must not be used before `signed_by`."""

    text: str
    """Ends with a newline."""
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def signed_by(self, key: VerifierKey, check: SignatureCheck) -> bool:
        """Whether the key signed it. A line that claims to be the key's and is not spoils the note."""
        public_key = base64.b64encode(key.public_key).decode()
        own = [line for line in self.signatures if (line.name, line.key_id) == (key.name, key.key_id)]
        return bool(own) and all(
            check(public_key, self.text.encode(), base64.b64encode(line.signature).decode()) for line in own
        )


def sign_note(text: str, key: VerifierKey, sign: Callable[[bytes], str]) -> SignedNote:
    """The note with one signature; `sign` gives it as base64, made with the private half of `key`."""
    signature = base64.b64decode(sign(text.encode()))
    return SignedNote(text, (SignatureLine(key.name, key.key_id, signature),))


def parse_note(written: str) -> SignedNote:
    """A note of its written form; ValueError says what is wrong with it."""
    if any(character < " " and character != "\n" for character in written):
        raise ValueError("it holds a control character")
    text, found, signatures = written.rpartition("\n\n")
    if not found or not signatures.endswith("\n"):
        raise ValueError("it is not a text, an empty line and signatures")
    lines = signatures.removesuffix("\n").split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise ValueError(f"it has more than {_MOST_SIGNATURES} signatures")
    return SignedNote(text + "\n", tuple(map(_signature_line, lines)))


def check_key_name(name: str) -> None:
    """Raise ValueError unless a key may have this name."""
    if not name or "+" in name or any(each.isspace() or each < " " for each in name):
        raise ValueError(f"{name[:80]!r} is not the name of a key: no spaces, no plus, not empty")


def _signature_line(line: str) -> SignatureLine:
    dash, name, encoded = _three(line.split(" ", 2))
    if dash != _DASH.strip():
        raise ValueError("a signature line begins with a dash (U+2014)")
    check_key_name(name)
    raw = _decoded(encoded)
    if len(raw) <= _ID_SIZE:
        raise ValueError("a signature is too short")
    return SignatureLine(name, raw[:_ID_SIZE], raw[_ID_SIZE:])


def _three(parts: list[str]) -> tuple[str, str, str]:
    if len(parts) != 3:  # noqa: PLR2004 (as its name says)
        raise ValueError("it has not three parts")
    return parts[0], parts[1], parts[2]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64") from error
