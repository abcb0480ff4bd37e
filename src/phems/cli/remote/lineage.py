"""Lineage of a node at an address."""

from __future__ import annotations

from phems.cli.remote.api import NodeApi, part
from phems.domain.actors import Actor
from phems.services.lineage import Lineage


class RemoteLineages:
    """`LineagePort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def of(self, _actor: Actor, project: str, what: str) -> Lineage:
        """Where it comes from."""
        return self._api.decode(Lineage, self._api.get(f"/projects/{part(project)}/lineage/{part(what)}"))
