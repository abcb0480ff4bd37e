"""Frames between two processes that do not trust each other: whole, bounded, and JSON, or refused."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.contract import frames
from phems.contract.frames import MAX_FRAME_BYTES, receive_frame, send_frame
from phems.errors import IntegrityError, UnavailableError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        theirs.settimeout(10)
        yield ours, theirs


@given(st.lists(JSON, max_size=4))
def test_values_arrive_as_they_were_sent_in_order(values: list[object]) -> None:
    """Otherwise an event is stored that no step wrote."""
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            for value in values:
                send_frame(ours, value)
        assert [receive_frame(theirs) for _ in values] == values
        assert receive_frame(theirs) is None


def test_a_large_frame_arrives_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise a batch of events that does not fit the socket's buffer is cut."""
    value = ["x" * 1000] * 3000
    sender = threading.Thread(target=send_frame, args=(pair[0], value))
    sender.start()
    assert receive_frame(pair[1]) == value
    sender.join()


def test_a_peer_that_closes_in_mid_message_is_noticed(pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise half a message counts as one."""
    pair[0].sendall(struct.pack(">I", 10) + b'"abc')
    pair[0].close()
    with pytest.raises(UnavailableError, match="mid-message"):
        receive_frame(pair[1])


def test_a_peer_that_closes_in_mid_length_is_noticed(pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise the end of a broken conversation looks like the end of a good one."""
    pair[0].sendall(b"\0\0")
    pair[0].close()
    with pytest.raises(UnavailableError, match="mid-message"):
        receive_frame(pair[1])


def test_an_announced_giant_is_refused_unread(pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise project code makes the node hold as much memory as it likes."""
    pair[0].sendall(struct.pack(">I", MAX_FRAME_BYTES + 1))
    with pytest.raises(IntegrityError, match="announced"):
        receive_frame(pair[1])


def test_what_drips_in_is_not_waited_for(pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise a stranger holds a thread of the node for as long as it likes, a byte at a time."""
    send_frame(pair[0], "in time")
    assert receive_frame(pair[1], until=time.monotonic() + 10) == "in time"
    pair[0].sendall(b"\0")
    with pytest.raises(TimeoutError):
        receive_frame(pair[1], until=time.monotonic() + 0.05)
    with pytest.raises(TimeoutError, match="too long"):
        receive_frame(pair[1], until=time.monotonic() - 1)


def test_a_giant_is_not_sent(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an author learns of it by a broken connection, without the reason."""
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 100)
    with pytest.raises(IntegrityError, match="too large to cross"):
        send_frame(pair[0], "x" * 100)
    send_frame(pair[0], "x" * 98)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"nothing", b"1" * 5000, b"[" * 200_000 + b"]" * 200_000]
)
def test_what_is_not_json_is_refused_as_such(body: bytes, pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise a hostile peer chooses how the node's thread fails."""
    sender = threading.Thread(target=pair[0].sendall, args=(struct.pack(">I", len(body)) + body,))
    sender.start()
    with pytest.raises(IntegrityError, match="not JSON"):
        receive_frame(pair[1])
    sender.join()


def test_text_that_is_not_unicode_is_refused_by_name(pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise a file name with stray bytes in a log line breaks the step without a word."""
    with pytest.raises(IntegrityError, match="not Unicode"):
        send_frame(pair[0], "\udc80")


def test_the_form_is_four_bytes_of_length_and_json(pair: tuple[socket.socket, socket.socket]) -> None:
    """Otherwise a host of one version and a node of another do not understand each other."""
    send_frame(pair[0], {"a": "ä"})
    body = json.dumps({"a": "ä"}, separators=(",", ":"), ensure_ascii=False).encode()
    assert pair[1].recv(100) == struct.pack(">I", len(body)) + body
