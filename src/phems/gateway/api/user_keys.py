"""The keys that approvers sign with: seen by whose they are, registered and revoked by who manages users."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from phems.domain.actors import Actor
from phems.domain.approver_keys import ApproverKey
from phems.domain.permissions import may
from phems.errors import InputError
from phems.gateway.api.asking import OWN, Cases, Person, check_changes_own, check_own, row
from phems.gateway.api.bodies import Body, Nothing, Reason
from phems.gateway.api.use_cases import UseCases
from phems.gateway.api.users import Manager, UserName

router = APIRouter(prefix="/users/{name}/keys", tags=["user"])

KeyId = Annotated[str, Path(description="The key: 16 hex digits.", pattern="^[0-9a-f]{16}$")]
_RAW_KEY_BYTES = 32


class PublicKey(Body):
    """A key to register."""

    public_key: str = Field(max_length=100, description="The raw Ed25519 public key, base64.")


class KeyRevocation(Body):
    """A revocation."""

    reason: Reason


@router.get("", **row("user.key", OWN))
def list_(cases: Cases, person: Person, name: UserName) -> list[ApproverKey]:
    """List a user's keys, newest first: your own, or anybody's as one who manages users."""
    check_own(cases, person, name)
    return list(cases.approver_keys.list(name))


@router.post("", **row("user.key-register", OWN, status_code=201))
def register(cases: Cases, person: Person, name: UserName, body: PublicKey) -> ApproverKey:
    """Register a public key whose private half stays with the user.

    Users register their first themselves. Another one, or somebody else's, takes one who manages users.
    """
    own = person.name == name and not _manages(cases, person)
    check_changes_own(cases, person, name, "register a key")
    _check_key(body.public_key)
    if own:
        return cases.approver_keys.register_first(person, body.public_key)
    return cases.approver_keys.register(person, name, body.public_key)


@router.post("/new", **row("user.key-new", "user.manage", status_code=201))
def new(cases: Cases, manager: Manager, name: UserName, _body: Nothing) -> ApproverKey:
    """Make a key that the node keeps for the user; it replaces the one before."""
    return cases.approver_keys.make(manager, name)


@router.post("/{key_id}/revoke", **row("user.key-revoke", "user.manage"))
def revoke(cases: Cases, manager: Manager, name: UserName, key_id: KeyId, body: KeyRevocation) -> ApproverKey:
    """Revoke a key: nothing that it signed counts any more."""
    return cases.approver_keys.revoke(manager, name, key_id, reason=body.reason)


def _manages(cases: UseCases, person: Actor) -> bool:
    return may(cases.roles_in(person.name), "user.manage")


def _check_key(given: str) -> None:
    try:
        fits = len(base64.b64decode(given, validate=True)) == _RAW_KEY_BYTES
    except ValueError:
        fits = False
    if not fits:
        raise InputError(
            "This is not an Ed25519 public key.",
            why=f"it is not {_RAW_KEY_BYTES} bytes in base64.",
            remedy="openssl pkey -in KEY.pem -pubout -outform DER | tail -c 32 | base64",
        )
