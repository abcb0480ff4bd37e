"""What an image file is made of: its chunks, and which of them are no part of the picture.

Only what is needed to show the picture may be there: no Exif, no comments, no colour profiles (which
name devices), no thumbnails, no text, and nothing behind the end. PNG as in W3C PNG-3, JPEG as in
ITU-T T.81 and T.871 (JFIF), GIF as in GIF89a.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

_PNG_PICTURE = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs"}
)
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
# Markers of JPEG: of the beginning and the end, of restarts, of application data, of comments.
_END, _COMMENT, _APP0, _APP14, _APP15 = 0xD9, 0xFE, 0xE0, 0xEE, 0xEF
_RESTARTS = range(0xD0, 0xD8)
_JFIF_BYTES, _ADOBE_BYTES = 14, 12
_CODED_BYTES = 1 << 16
_MOST_CHUNKS = 100_000


class NotAnImageError(ValueError):
    """The bytes are not those of the image that the name says."""


def beside_the_picture(place: Path, extension: str) -> list[str]:
    """What else is in the file, by name; empty for a clean one. Raises `NotAnImageError`."""
    with place.open("rb") as opened:
        found = list(dict.fromkeys(_READERS[extension](opened)))
        if opened.read(1):
            found.append("data behind its end")
    return found


def _take(opened: IO[bytes], size: int) -> bytes:
    taken = opened.read(size)
    if len(taken) != size:
        raise NotAnImageError("it ends too early")
    return taken


def _png(opened: IO[bytes]) -> Iterator[str]:
    if _take(opened, len(_PNG_HEAD)) != _PNG_HEAD:
        raise NotAnImageError("it is no PNG")
    for _ in range(_MOST_CHUNKS):
        size, kind = struct.unpack(">I4s", _take(opened, 8))
        if kind not in _PNG_PICTURE:
            yield f"{kind.decode('latin-1')} chunk"
        _skip(opened, size + 4)
        if kind == b"IEND":
            return
    raise NotAnImageError("it has too many chunks")


def _jpeg(opened: IO[bytes]) -> Iterator[str]:
    if _take(opened, 2) != b"\xff\xd8":
        raise NotAnImageError("it is no JPEG")
    for _ in range(_MOST_CHUNKS):
        marker = _marker(opened)
        if marker == _END:
            return
        if marker in _RESTARTS:  # it has no body
            continue
        body = _take(opened, struct.unpack(">H", _take(opened, 2))[0] - 2)
        if marker == _COMMENT:
            yield "comment"
        elif _APP0 <= marker <= _APP15 and not _is_plain_header(marker, body):
            yield f"APP{marker - _APP0} segment"
    raise NotAnImageError("it has too many segments")


def _marker(opened: IO[bytes]) -> int:
    """The next marker; the coded picture between two of them is passed over."""
    while True:
        coded = opened.read(_CODED_BYTES)
        if not coded:
            raise NotAnImageError("it ends too early")
        start = coded.find(b"\xff")
        if start < 0:
            continue
        opened.seek(start + 1 - len(coded), 1)
        byte = _take(opened, 1)
        while byte == b"\xff":
            byte = _take(opened, 1)
        if byte != b"\0":
            return byte[0]


def _is_plain_header(marker: int, body: bytes) -> bool:
    """JFIF without a thumbnail, or Adobe's note on the colour space: both are needed to show the picture."""
    jfif = marker == _APP0 and body.startswith(b"JFIF\0") and len(body) == _JFIF_BYTES
    return jfif or (marker == _APP14 and body.startswith(b"Adobe") and len(body) == _ADOBE_BYTES)


def _gif(opened: IO[bytes]) -> Iterator[str]:
    head = _take(opened, 13)
    if head[:6] not in (b"GIF87a", b"GIF89a"):
        raise NotAnImageError("it is no GIF")
    _skip_colours(opened, head[10])
    for _ in range(_MOST_CHUNKS):
        block = _take(opened, 1)
        if block == b";":
            return
        if block == b",":
            _skip_colours(opened, _take(opened, 9)[8])
            _take(opened, 1)
        elif block == b"!":
            label = _take(opened, 1)
            if label != b"\xf9":  # graphic control: how the next picture is shown
                yield {b"\xfe": "comment", b"\xff": "application data"}.get(label, "text")
        else:
            raise NotAnImageError("it has an unknown block")
        while size := _take(opened, 1)[0]:
            _skip(opened, size)
    raise NotAnImageError("it has too many blocks")


def _skip_colours(opened: IO[bytes], flags: int) -> None:
    if flags & 0x80:
        _skip(opened, 3 * 2 ** ((flags & 7) + 1))


def _skip(opened: IO[bytes], size: int) -> None:
    if size:
        opened.seek(size - 1, 1)
        _take(opened, 1)


_READERS: Mapping[str, Callable[[IO[bytes]], Iterator[str]]] = {
    "gif": _gif,
    "jpeg": _jpeg,
    "jpg": _jpeg,
    "png": _png,
}
IMAGES = frozenset(_READERS)
