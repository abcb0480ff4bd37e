"""What a message of the step queue is: a name of one step attempt, signed.

The signature is HMAC-SHA256 with a key that control processes alone have: both ends are the control plane,
and the broker between them is not trusted. Nothing else about a step is taken from a message.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from kombu import serialization

CONTENT_TYPE = "application/vnd.phems.step+json"
TASK = "phems.step"
_LONGEST = 64 * 1024
# Another use of the same key must not make what passes here.
_PURPOSE = b"phems step queue v1\n"


class ForgedMessageError(ValueError):
    """The message was not written by this node."""


class MessageSigner:
    """Writes and reads bodies; `key` is the node's own."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # Serialisers are the process's, not an application's: under one name for all, the last node that a
        # process opens would sign for the others.
        self.serializer = f"phems-step-{self._mac(b'')[:16]}"

    def write(self, body: Any) -> str:
        """A body, signed."""
        text = json.dumps(body, separators=(",", ":"))
        return json.dumps({"signed": text, "mac": self._mac(text.encode())})

    def read(self, raw: str | bytes) -> Any:
        """The body of a message; raises `ForgedMessageError` unless it was signed with the key."""
        if len(raw) > _LONGEST:
            raise ForgedMessageError("The message is longer than any of this node.")
        try:
            envelope = json.loads(raw)
            # What cannot be encoded was not written here either: half of a surrogate pair, say.
            text, mac = envelope["signed"].encode(), envelope["mac"].encode()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ForgedMessageError("The message is not one of this node.") from error
        if not hmac.compare_digest(mac, self._mac(text).encode()):
            raise ForgedMessageError("The message's signature is not this node's.")
        return json.loads(text)

    def register(self) -> None:
        """Have applications find it by the name of its `serializer`."""
        serialization.register(self.serializer, self.write, self.read, CONTENT_TYPE, "utf-8")

    def _mac(self, text: bytes) -> str:
        return hmac.new(self._key, _PURPOSE + text, hashlib.sha256).hexdigest()


def name_of(run_id: str, step_key: str, attempt: int) -> Mapping[str, Any]:
    """The content of a message."""
    return {"run_id": run_id, "step_key": step_key, "attempt": attempt}


def attempt_named(content: object) -> tuple[str, str, int]:
    """The attempt that a verified message names."""
    match content:
        case {"run_id": str(run_id), "step_key": str(step_key), "attempt": int(attempt)}:
            return run_id, step_key, attempt
    raise ForgedMessageError("The message names no attempt.")
