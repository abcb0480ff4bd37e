"""Finding what a PDF would do when it is opened: scripts, launched programs, files inside (ISO 32000-2).

Names may be spelt in hexadecimal (`/J#61vaScript`), and objects may lie compressed in object streams:
both are undone before names are looked for. What cannot be looked into has failed.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from phems.domain.output_checks import Verdict

ACTIVE = (
    *(b"JavaScript", b"Launch", b"RichMedia", b"XFA", b"SubmitForm", b"ImportData", b"Rendition"),
    *(b"EmbeddedFile", b"EmbeddedFiles", b"GoToE", b"GoToR"),
    # Short enough to stand in packed bytes by chance: a value must follow.
    *(b"JS", b"AA", b"3D"),
)
_SHORT = 2
_FILTERS = frozenset(
    {
        *(b"ASCIIHexDecode", b"ASCII85Decode", b"LZWDecode", b"RunLengthDecode", b"FlateDecode", b"Crypt"),
        *(b"AHx", b"A85", b"LZW", b"RL", b"Fl", b"DCTDecode", b"JPXDecode", b"JBIG2Decode"),
        b"CCITTFaxDecode",
    }
)
_LARGEST = 128 << 20
_LARGEST_STREAM = 64 << 20
_NAME = re.compile(rb"/([^\s\0/<>\[\](){}%]+)(?=(\s*[(<\[/0-9])?)")
_HEX = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"(<<(?:(?!endobj).){0,4096}?>>)\s*stream\r?\n", re.DOTALL)


def trouble_with(place: Path) -> tuple[Verdict, str] | None:
    """What is wrong with the PDF, or None."""
    if place.stat().st_size > _LARGEST:
        return Verdict.FAIL, "a PDF too large to be looked into"
    content = place.read_bytes()
    names = _names(content)
    if b"Encrypt" in names:
        return Verdict.FAIL, "it is encrypted: nobody can look into it"
    for header, body in _object_streams(content):
        inside = _inflated(header, body)
        if inside is None:
            return Verdict.FAIL, "objects in it are packed in a way that cannot be looked into"
        names |= _names(inside)
    found = [name.decode() for name in ACTIVE if name in names]
    if found:
        return Verdict.FAIL, f"it holds active content ({', '.join(found)})"
    if b"OpenAction" in names or b"URI" in names:
        return Verdict.REVIEW, "it acts when it is opened, or links to places outside"
    return None


def _names(content: bytes) -> set[bytes]:
    names = set()
    for written, value in _NAME.findall(content):
        name = _HEX.sub(lambda match: bytes([int(match[1], 16)]), written)
        if value or len(name) > _SHORT:
            names.add(name)
    return names


def _object_streams(content: bytes) -> list[tuple[bytes, bytes]]:
    """The header and the packed bytes of each stream that holds objects."""
    found = []
    for match in _STREAM.finditer(content):
        if b"ObjStm" in _names(match[1]):
            end = content.find(b"endstream", match.end())
            found.append((match[1], content[match.end() : end if end >= 0 else None]))
    return found


def _inflated(header: bytes, body: bytes) -> bytes | None:
    filters = _names(header) & _FILTERS
    if not filters:
        return body
    if filters != {b"FlateDecode"}:
        return None
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(body, _LARGEST_STREAM)
    except zlib.error:
        return None
    return None if inflater.unconsumed_tail else inflated
