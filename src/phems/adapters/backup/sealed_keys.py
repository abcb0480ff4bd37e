"""The keys of a node as one encrypted file: scrypt over a passphrase, AES-256-GCM over the files.

Whoever has the keys can sign as the node; a backup travels further than a keys folder does.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from phems.errors import InputError

_HEADER = b"phems sealed keys 1\n"
_SALT, _NONCE = 16, 12
_COST = 2**15  # with r=8: 32 MiB and about a tenth of a second a guess
LEAST_CHARACTERS = 12

KeyFiles = Mapping[str, tuple[int, bytes]]
"""The files of the keys folder by path, each with its mode and bytes."""


def seal(keys: Path, passphrase: str) -> bytes:
    """All files of the keys folder, encrypted."""
    if len(passphrase) < LEAST_CHARACTERS:
        raise InputError(
            f"The passphrase has fewer than {LEAST_CHARACTERS} characters.",
            why="who finds the backup can try passphrases for as long as they like.",
            remedy="Take a longer one: several words.",
        )
    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    plain = {
        path: [mode, base64.b64encode(content).decode()] for path, (mode, content) in _read(keys).items()
    }
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, json.dumps(plain).encode(), _HEADER)
    return _HEADER + salt + nonce + sealed


def unseal(sealed: bytes, passphrase: str) -> KeyFiles:
    """The files that were sealed; InputError for another passphrase."""
    start = len(_HEADER)
    salt, nonce = sealed[start : start + _SALT], sealed[start + _SALT : start + _SALT + _NONCE]
    try:
        plain = AESGCM(_key(passphrase, salt)).decrypt(nonce, sealed[start + _SALT + _NONCE :], _HEADER)
    except (InvalidTag, ValueError) as error:
        raise InputError(
            "The keys in the backup cannot be opened.",
            why="the passphrase is another than the one they were encrypted with.",
            remedy="phems restore BACKUP FOLDER --passphrase-file FILE, with the file phems backup was given",
        ) from error
    return {path: (mode, base64.b64decode(text)) for path, (mode, text) in json.loads(plain).items()}


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode())


def _read(keys: Path) -> KeyFiles:
    return {
        os.path.relpath(path, keys): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(keys.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
