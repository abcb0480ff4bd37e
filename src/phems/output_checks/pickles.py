"""Finding pickles however they are spelt: with or without a header, in base 64, in hexadecimal.

A pickle runs when it is loaded, whatever the file is called. Nothing here loads one: `pickletools`
takes it apart and executes nothing.
"""

from __future__ import annotations

import io
import pickletools
import re
from pathlib import Path

# What makes a pickle do something when it is loaded (the instructions of `pickle`, protocols 0 to 5).
_ACTIVE = frozenset(
    {
        *("BUILD", "EXT1", "EXT2", "EXT4", "GLOBAL", "INST", "NEWOBJ", "NEWOBJ_EX", "OBJ", "REDUCE"),
        "STACK_GLOBAL",
    }
)
# Where the instructions that matter come first: a pickle says what class it is of at its beginning.
_HEAD_BYTES = 1 << 20
_CHUNK_BYTES = 4 << 20
_OVERLAP_BYTES = 128
# Protocols 2 to 5 begin with 0x80 and their number; 4 and 5 with a frame after it. In each spelling, what
# stands before must not be of the same alphabet: then it is the middle of something else.
_BASE64 = re.compile(rb"gA(?:SV|WV|J[9jYx]|N[9jYx])[A-Za-z0-9+/\r\n]{16}")
_HEX = re.compile(rb"80(?:0[45]95|0[23](?:63|7[dD]|5[dD]|71))[0-9a-fA-F]{16}")
_ALPHABETS = ((_BASE64, re.compile(rb"[A-Za-z0-9+/]")), (_HEX, re.compile(rb"[0-9a-fA-F]")))


def found_in(place: Path, *, text: bool) -> str | None:
    """A clause that says where a pickle is, or None. `text` looks for encoded ones as well."""
    with place.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
        if _does_something(head):
            return "its content is a pickle"
        rest, chunk = b"", head
        while text and chunk:
            window = rest + chunk
            if _encoded_in(window):
                return "it holds an encoded pickle"
            rest, chunk = window[-_OVERLAP_BYTES:], opened.read(_CHUNK_BYTES)
    return None


def _encoded_in(window: bytes) -> bool:
    return any(
        match.start() == 0 or not alphabet.match(window, match.start() - 1)
        for spelling, alphabet in _ALPHABETS
        for match in spelling.finditer(window)
    )


def _does_something(head: bytes) -> bool:
    """Whether the bytes are instructions of a pickle, and some of them would call something."""
    active = False
    try:
        for instruction, _argument, _position in pickletools.genops(io.BytesIO(head)):
            active = active or instruction.name in _ACTIVE
            if active and instruction.name in {"REDUCE", "BUILD", "STOP", "OBJ", "INST", "NEWOBJ"}:
                return True
    except Exception:  # noqa: BLE001 - genops raises whatever its readers raise; then it is no pickle
        return False
    return False
