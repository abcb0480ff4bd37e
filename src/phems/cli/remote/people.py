"""Coordinators and the keys that people sign with, of a node at an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phems.cli.remote.api import NodeApi, part
from phems.domain.actors import Actor
from phems.domain.approver_keys import ApproverKey, ApproverKeyState
from phems.errors import NotFoundError
from phems.services.coordinators import CoordinatorSummary


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token that the node has just made."""

    secret: str
    expires_at: datetime


class RemoteCoordinators:
    """`CoordinatorPort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def list(self) -> Sequence[CoordinatorSummary]:
        """The coordinators."""
        return [self._api.decode(CoordinatorSummary, row) for row in self._api.get("/coordinators")]

    def issue_token(self, _actor: Actor, name: str, *, lifetime: timedelta) -> GivenToken:
        """A token for one."""
        made = self._api.post(f"/coordinators/{part(name)}/tokens", {"days": lifetime.days})
        return self._api.decode(GivenToken, {"secret": made["token"], "expires_at": made["expires_at"]})

    def revoke(self, _actor: Actor, name: str) -> int:
        """End its tokens; how many there were."""
        return int(self._api.post(f"/coordinators/{part(name)}/revoke")["tokens_ended"])


class RemoteKeys:
    """`KeyPort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def list(self, person: str) -> Sequence[ApproverKey]:
        """A person's keys, newest first."""
        return [self._api.decode(ApproverKey, row) for row in self._api.get(_keys(person))]

    def current(self, person: str) -> ApproverKey:
        """The key that a person signs with."""
        found = [key for key in self.list(person) if key.state is ApproverKeyState.CURRENT]
        if not found:
            raise NotFoundError(
                f"{person} has no key.",
                why="who has never approved anything has none yet.",
                remedy=f"phems user key {person} --show",
            )
        return found[0]

    def make(self, _actor: Actor, person: str) -> ApproverKey:
        """A new key that the node keeps."""
        return self._api.decode(ApproverKey, self._api.post(f"{_keys(person)}/new"))

    def register(self, _actor: Actor, person: str, public_key: str) -> ApproverKey:
        """A key that the person keeps."""
        return self._api.decode(ApproverKey, self._api.post(_keys(person), {"public_key": public_key}))

    def register_first(self, actor: Actor, public_key: str) -> ApproverKey:
        """One's own first key."""
        return self.register(actor, actor.name, public_key)

    def revoke(self, _actor: Actor, person: str, key_id: str | None = None, *, reason: str) -> ApproverKey:
        """Nothing that the key signed counts any more."""
        wanted = key_id or self.current(person).key_id
        return self._api.decode(
            ApproverKey, self._api.post(f"{_keys(person)}/{part(wanted)}/revoke", {"reason": reason})
        )


def _keys(person: str) -> str:
    return f"/users/{part(person)}/keys"
