"""Frames: how two processes talk over the wall's sockets, one JSON value after another.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON. The length is bounded, so
that a hostile peer cannot make the other side hold more than `MAX_FRAME_BYTES`.
"""

from __future__ import annotations

import json
import struct
import time
from typing import TYPE_CHECKING

from phems.errors import IntegrityError, UnavailableError

if TYPE_CHECKING:
    import socket


MAX_FRAME_BYTES = 64 * 1024 * 1024
_LENGTH = struct.Struct(">I")


def send_frame(peer: socket.socket, value: object) -> None:
    """Send one JSON value. Raises `IntegrityError` when it is larger than a frame may be."""
    try:
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise IntegrityError("A text that is not Unicode may not cross the wall.", why=str(error)) from error
    if len(body) > MAX_FRAME_BYTES:
        raise IntegrityError(
            f"A message of {len(body)} bytes is too large to cross the wall.",
            why=f"One message may hold {MAX_FRAME_BYTES} bytes.",
            remedy="Write large values as outputs or through the IO manager, not as events or metadata.",
        )
    peer.sendall(_LENGTH.pack(len(body)) + body)


def receive_frame(
    peer: socket.socket, limit: int = MAX_FRAME_BYTES, *, until: float | None = None
) -> object | None:
    """Receive one JSON value, at most `limit` bytes; None when the peer has closed between two frames.

    With `until`, a moment of `time.monotonic`, it must be there by then: else `TimeoutError`.
    """
    header = _receive_exactly(peer, _LENGTH.size, until, may_end=True)
    if header is None:
        return None
    (length,) = _LENGTH.unpack(header)
    if length > limit:
        raise IntegrityError(
            f"The peer announced a message of {length} bytes.", why=f"The limit is {limit} bytes."
        )
    body = _receive_exactly(peer, length, until, may_end=False)
    assert body is not None  # noqa: S101 - may_end is False
    try:
        return json.loads(body)  # type: ignore[no-any-return]
    except (ValueError, RecursionError) as error:
        raise IntegrityError("The peer sent a frame that is not JSON.", why=str(error)) from error


def _receive_exactly(peer: socket.socket, size: int, until: float | None, *, may_end: bool) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        if until is not None:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("It took too long to say it.")
            peer.settimeout(left)
        part = peer.recv(min(size - len(parts), 1 << 20))
        if not part:
            if may_end and not parts:
                return None
            raise UnavailableError("The other side of the wall closed in mid-message.")
        parts += part
    return bytes(parts)
