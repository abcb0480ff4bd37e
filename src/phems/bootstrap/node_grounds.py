"""What a node's use cases stand on: its spec, database and keys, and what the audit log is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from phems.adapters.checkpoint_file import CheckpointFile
from phems.adapters.clock import SystemClock
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.signing import AUDIT_KEY, SigningKey, load_or_create_key, signature_matches
from phems.nodespec import NodePaths, NodeSpec
from phems.services.checkpoints import CheckpointKeeper

if TYPE_CHECKING:
    from phems.services.audit_anchors import Anchoring, Anchors
    from phems.services.policies import Waiting


@dataclass
class NodeGrounds:
    """The grounds of one node.

    `spec` is node.yaml as it is in force: what it loosens waits for a second person (see `Policies`).
    `declared` is node.yaml as it was taken up, `written` as it was last read: approvals are held to that too,
    for it lies outside the database.
    """

    spec: NodeSpec
    paths: NodePaths
    database: Database
    declared: NodeSpec = field(init=False)
    written: NodeSpec = field(init=False)
    policy_versions: Mapping[str, str] = field(init=False, default_factory=dict)
    """The labels of the policy versions that `spec` is made of, by scope."""
    waiting: Sequence[Waiting] = field(init=False, default=())
    """What of node.yaml was found to wait for a second person when it was last taken up."""

    def __post_init__(self) -> None:
        self.declared = self.written = self.spec

    @cached_property
    def clock(self) -> SystemClock:
        """The time."""
        return SystemClock()

    @cached_property
    def audit_key(self) -> SigningKey:
        """The key that signs checkpoints; it lies outside the database."""
        return load_or_create_key(self.paths.keys, AUDIT_KEY)

    @cached_property
    def checkpoints(self) -> CheckpointKeeper:
        """What the audit log is held against."""
        return CheckpointKeeper(
            origin=self.spec.audit_origin,
            store=CheckpointFile(self.paths.checkpoint),
            signer=self.audit_key,
            verify=signature_matches,
            gate=self.anchors,
        )

    @cached_property
    def anchors(self) -> Anchors | None:
        """Who keeps the audit log's checkpoints outside of the node; None when nobody does."""
        if not self.spec.audit.anchors:
            return None
        from phems.bootstrap.anchors import anchors_of

        return anchors_of(self.spec, self.paths, self.clock)

    @cached_property
    def anchoring(self) -> Anchoring | None:
        """Hands the audit log's checkpoints to the outside anchors; None when there are none."""
        if self.anchors is None:
            return None
        from phems.services.audit_anchors import Anchoring

        return Anchoring(self.anchors, governance=self.governance, keeper=self.checkpoints, clock=self.clock)

    @cached_property
    def governance(self) -> PostgresGovernance:
        """Where decisions are kept."""
        return PostgresGovernance(
            self.database.engine("governance"), clock=self.clock, checkpoints=self.checkpoints
        )
