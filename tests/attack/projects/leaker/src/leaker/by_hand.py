"""Calls of the storage service that its client would not make."""

import contextlib
import socket
from typing import Any

from phems.contract.frames import receive_frame, send_frame
from phems.host.storage_client import CODEC
from phems.host.storages import current_client

SOCKET = "/run/phems/storage.sock"


def call_by_hand(storage: str, method: str, *args: Any) -> Any:
    """One call with this step's own capability; gives the answer as it comes."""
    peer = socket.socket(socket.AF_UNIX)
    with contextlib.closing(peer):
        peer.settimeout(10)
        peer.connect(SOCKET)
        send_frame(peer, {"capability": current_client()._capability()})
        receive_frame(peer)
        message = {"storage": storage, "method": method, "kwargs": {}}
        send_frame(peer, {**message, "args": [CODEC.encode(arg) for arg in args]})
        return receive_frame(peer)
