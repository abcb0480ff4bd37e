"""What the control plane and the pod of a project's host agree on: files, port, how a stream is opened.

The pod listens and the control plane connects, by TLS with a key on either side. Each connection is one
stream, and its first frame says which: a host of one code revision (then the packets that the host says), a
connection to a host's code server, or one that the host's storage calls may take.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from phems.errors import IntegrityError

PORT = 7442
KEY_FILE, CERTIFICATE_FILE, CONTROL_FILE = "key", "certificate", "control"
"""The files of the pod: its key, what it shows, and the certificate that whoever connects must show."""
MAX_OPENING_BYTES = 256 * 1024
MAX_PACKET_FRAME_BYTES = 1024 * 1024
"""A packet of the host, as text of a frame: a letter of it may be written with six."""
KEEP_ALIVE_SECONDS = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Who is gone without a word is missed after some 25 seconds."""

Stream = Literal["host", "code", "wall"]


@dataclass(frozen=True)
class Opening:
    """The first frame of a stream. `host` is the pod's name for the host which the stream belongs to."""

    stream: Stream
    host: str = ""
    order: str = ""
    """Of a new host: its order."""
    capability: str = ""
    """Of a new host and of each stream for storage calls: what the host is to show from now on."""

    def to_frame(self) -> dict[str, Any]:
        """The frame."""
        return asdict(self)

    @classmethod
    def from_frame(cls, frame: object) -> Opening:
        """Read a frame; raises `IntegrityError` for anything else."""
        if (
            not isinstance(frame, dict)
            or frame.get("stream") not in get_args(Stream)
            or not frame.keys() <= cls.__dataclass_fields__.keys()
            or not all(isinstance(value, str) for value in frame.values())
        ):
            raise IntegrityError("The first message of a stream must say which it is.")
        return cls(**frame)


def server_name(project: str) -> str:
    """The name in the certificate of a project's host: it is in no name service."""
    return f"{project}.host.phems"


CONTROL_NAME = "control.phems"
