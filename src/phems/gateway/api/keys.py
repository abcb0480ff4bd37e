"""The node's public keys: what release packages and checkpoints of the audit log are verified with."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from phems.gateway.api.asking import SIGNED_IN, Cases, Person, row

router = APIRouter(tags=["release"])


class NodeKeys(BaseModel):
    """Public halves. Compare them with what the node's operator told you by another way."""

    release: str = Field(description="Signs release packages: raw Ed25519, base64.")
    audit: str = Field(description="Signs checkpoints: a C2SP verifier key, with the log's name.")


@router.get("/keys", **row("release.key", SIGNED_IN))
def show(cases: Cases, _person: Person) -> NodeKeys:
    """The node's public keys."""
    return NodeKeys(release=cases.release_key.public_key, audit=str(cases.audit.key))
