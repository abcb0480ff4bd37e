"""A log from before it had a Merkle tree: its last checkpoint, in the form of then, vouches for it once more.

That checkpoint named the chain's head, not a tree's root. The log is verified against it from the first
entry, and signed anew; if it does not hold, nothing is signed: the log stays one whose checkpoint is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phems.domain.audit import Entry
from phems.domain.audit_verification import verify
from phems.domain.canonical import canonical
from phems.errors import InputError
from phems.services.ports.audit import AuditWriter, SignatureCheck

_SIGNED = ("node", "size", "head", "at", "key_id")


def vouches_for(older: Mapping[str, Any], log: AuditWriter, public_key: str, check: SignatureCheck) -> bool:
    """Whether the checkpoint of the earlier form is the node's, and of the head of this log."""
    try:
        statement = {"phems": "audit checkpoint 1", **{name: older[name] for name in _SIGNED}}
        signed = check(public_key, canonical(statement), str(older["signature"]))
    except (KeyError, InputError):
        return False
    last: Entry | None = log.entry(older["size"]) if signed else None
    return last is not None and last.hash == older["head"] and verify(log.entries()) is None
