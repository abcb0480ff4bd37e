"""`RemoteNode`: a node at an address, as commands see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from phems.cli.ports import ProjectRow, PublicKey
from phems.cli.remote.api import NodeApi, part
from phems.cli.remote.audit import RemoteAudit
from phems.cli.remote.code import RemoteCapsules, RemoteCode
from phems.cli.remote.lineage import RemoteLineages
from phems.cli.remote.people import RemoteCoordinators, RemoteKeys
from phems.cli.remote.policies import RemotePolicies
from phems.cli.remote.releases import RemoteOutputs, RemoteReleases
from phems.cli.remote.users import RemoteUsers
from phems.domain.actors import Actor
from phems.domain.permissions import Verb


class RemoteNode:
    """`NodePort` over the API. Rules and permissions are the node's: nothing is decided here."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api
        self.code_revisions = self.code_diffs = RemoteCode(api)
        self.capsules = RemoteCapsules(api)
        self.lineages = RemoteLineages(api)
        self.policies = RemotePolicies(api)
        self.releases = RemoteReleases(api)
        self.outputs = self.output_checks = RemoteOutputs(api)
        self.audit = self.replays = self.anchoring = RemoteAudit(api)
        self.coordinators = RemoteCoordinators(api)
        self.approver_keys = RemoteKeys(api)
        self.users = RemoteUsers(api)

    @cached_property
    def me(self) -> Actor:
        """Whose token it is."""
        return Actor(str(self._api.get("/me")["name"]))

    def acting(self, _verb: Verb | None = None) -> Actor:
        """Who acts; whether they may, the node says when they do."""
        return self.me

    def acting_for(self, _name: str, _what: str | None = None) -> Actor:
        """Who acts on what is a user's; whether they may, the node says."""
        return self.me

    def release_key(self) -> PublicKey:
        """The key that the node says it signs release packages with."""
        from phems.adapters.signing import key_id

        public = str(self._api.get("/keys")["release"])
        return PublicKey(public, key_id(public), None)

    def projects(self) -> Sequence[ProjectRow]:
        """The projects that the person may read."""
        return [self._project(row["name"]) for row in self._api.pages("/projects")]

    def status(self) -> Mapping[str, Any]:
        """What the node does now."""
        found: Mapping[str, Any] = self._api.get("/node")
        return found

    def _project(self, name: str) -> ProjectRow:
        row = self._api.get(f"/projects/{part(name)}")
        members = row["members"]
        return ProjectRow(
            name=row["name"],
            title=row["title"],
            repo=row["repo"],
            branch=row["branch"],
            policy=row["policy"],
            data_grants=tuple(row["data_grants"]),
            data_analysts=tuple(members.get("data_analyst", ())),
            output_checkers=tuple(members.get("output_checker", ())),
            information_asset_owners=tuple(members.get("information_asset_owner", ())),
        )
