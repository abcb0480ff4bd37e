"""Policy versions of a node at an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phems.cli.ports import PoliciesTakenUp
from phems.cli.remote.api import NodeApi, part
from phems.domain.actors import Actor
from phems.domain.policy_versions import NODE_SCOPE, PolicyRecord, PolicyState, PolicyVersion
from phems.errors import NotFoundError

_NODE = "-"


class RemotePolicies:
    """`PolicyPort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def list(self, _actor: Actor, scope: str) -> Sequence[PolicyRecord]:
        """All versions of a scope, newest first."""
        return [self._record(row) for row in self._api.pages(_versions(scope))]

    def show(self, actor: Actor, scope: str, number: int | None = None) -> PolicyRecord:
        """A version; without a number the one in force."""
        if number is None:
            in_force = [each for each in self.list(actor, scope) if each.state is PolicyState.IN_FORCE]
            if not in_force:
                raise NotFoundError(
                    "No policy version is in force yet.",
                    why="versions are made when the node starts.",
                    remedy="phems policy list",
                )
            number = in_force[0].version.number
        return self._record(self._api.get(f"{_versions(scope)}/{number}"))

    def diff(self, _actor: Actor, scope: str, number: int) -> Mapping[str, Any]:
        """What a version changes."""
        found = self._api.get(f"{_versions(scope)}/{number}/diff")
        return {**found, "scope": scope}

    def approve(self, _actor: Actor, scope: str, number: int) -> PolicyRecord:
        """Confirm a version."""
        return self._record(self._api.post(f"{_versions(scope)}/{number}/approve"))

    def reject(self, _actor: Actor, scope: str, number: int, *, reason: str) -> PolicyRecord:
        """Refuse a version."""
        return self._record(self._api.post(f"{_versions(scope)}/{number}/reject", {"reason": reason}))

    def reload(self, _actor: Actor) -> PoliciesTakenUp:
        """Have the node read its node.yaml again."""
        found = self._api.post("/policies/reload")
        waiting = [
            {"scope": _shown(each["scope"]), "number": each["number"], "loosens": each["loosens"]}
            for each in found["waiting"]
        ]
        return PoliciesTakenUp(
            in_force={_shown(scope): label for scope, label in found["in_force"].items()},
            waiting=waiting,
            told=[each["says"] for each in found["waiting"]],
        )

    def _record(self, row: Any) -> PolicyRecord:
        version = {"number": row["number"], "digest": row["digest"], "content": row.get("content", {})}
        scope = NODE_SCOPE if row["scope"] == _NODE else row["scope"]
        record = {**row, "scope": scope, "version": self._api.decode(PolicyVersion, version)}
        return self._api.decode(PolicyRecord, record)


def _versions(scope: str) -> str:
    return f"/policies/{part(scope) if scope != NODE_SCOPE else _NODE}"


def _shown(scope: str) -> str:
    return "node" if scope == _NODE else str(scope)
