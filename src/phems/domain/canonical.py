"""One way to write a value as bytes, so that its SHA-256 means the same everywhere: RFC 8785.

Values are JSON's: None, bool, str, int within +-(2**53 - 1), finite float, list or tuple, and dict with
str keys. Anything else is an InputError that names where in the value it lies. `parse` is the inverse up
to number types: what it reads has the same canonical form again, whoever wrote the JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import rfc8785

from phems.errors import InputError

LARGEST_INT = 2**53 - 1

# For a value without floats, and with ASCII keys, the RFC asks for what this encoder, which is in C, writes:
# a log of a million entries is verified six times as fast.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of a value, UTF-8."""
    if _is_simple(value):
        with suppress(UnicodeEncodeError):  # half a surrogate pair: refused below, by name
            return _ENCODER.encode(value).encode()
    try:
        return rfc8785.dumps(plain(value))
    except rfc8785.CanonicalizationError as error:
        raise InputError("A value cannot be written as canonical JSON.", why=str(error)) from error


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, 64 hex digits."""
    return sha256(canonical(value))


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def parse(text: str | bytes) -> Any:
    """Read JSON. Raises ValueError for what is not JSON, as json.loads does."""
    return json.loads(text, parse_int=_number)


def plain(value: Any, where: str = "value") -> Any:
    """The value as None, bool, str, int, float, list and dict alone; InputError names what is not."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        # Postgres stores no NUL in text, so a value that holds one would not read back the same.
        if "\x00" in value:
            raise InputError(f"{where} holds a NUL character.", why="text with NUL cannot be stored.")
        return str.__str__(value)
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    raise InputError(
        f"{where} is a {type(value).__name__}.",
        why="only None, bool, text, numbers, lists and dicts with text keys have a canonical form.",
    )


def _is_simple(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return "\x00" not in value
    if kind is dict:
        return all(
            type(key) is str and key.isascii() and "\x00" not in key and _is_simple(item)
            for key, item in value.items()
        )
    if kind is list or kind is tuple:
        return all(map(_is_simple, value))
    return value is None or kind is bool or (kind is int and -LARGEST_INT <= value <= LARGEST_INT)


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise InputError(f"{where} has the key {key!r}.", why="the keys of a canonical value are text.")
    return str(plain(key, f"a key of {where}"))


def _number(digits: str) -> int | float:
    # A store may write the float 1e16 as the digits 10000000000000000: past the safe integers a
    # number is a float again.
    value = int(digits)
    return value if abs(value) <= LARGEST_INT else float(value)
