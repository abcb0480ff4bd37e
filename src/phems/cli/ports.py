"""What commands need of a node, as Protocols. They act through these, and do not know where the node is.

Two things fit `NodePort`: `local_node.LocalNode`, the use cases over the node's own folder, and
`remote.node.RemoteNode`, the REST API of a node that is reached by its address. Both give the same
dataclasses and raise the same errors, so that a command prints and exits the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from phems.cli.user_ports import UserPort
    from phems.domain.actors import Actor
    from phems.domain.approver_keys import ApproverKey
    from phems.domain.audit import Entry
    from phems.domain.capsule_approvals import CapsuleApproval, CapsuleState
    from phems.domain.checkpoint_proofs import ConsistencyProof, InclusionProof
    from phems.domain.checkpoints import Checkpoint
    from phems.domain.code_diffs import CodeDiff
    from phems.domain.code_revisions import CodeRevision
    from phems.domain.output_checks import CheckReport
    from phems.domain.outputs import Output
    from phems.domain.permissions import Verb
    from phems.domain.policy_versions import PolicyRecord
    from phems.domain.release_history import HistoryEvent
    from phems.domain.replays import Replay
    from phems.domain.signed_notes import VerifierKey
    from phems.domain.votes import Vote
    from phems.services.audit_anchors import AnchorState
    from phems.services.audit_export import Verification
    from phems.services.capsules import CapsuleView
    from phems.services.code_approvals import CountedApproval, SignedStatement
    from phems.services.coordinators import CoordinatorSummary
    from phems.services.lineage import Lineage
    from phems.services.release_asks import AskedGroup, Choice
    from phems.services.release_summaries import ReleaseLine, ReleaseSummary

Told = Callable[[str], None]
"""Takes a line about how far a long act is."""


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project, as node.yaml describes it."""

    name: str
    title: str | None
    repo: str
    branch: str
    policy: str
    data_grants: tuple[str, ...]
    data_analysts: tuple[str, ...]
    output_checkers: tuple[str, ...]
    information_asset_owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PoliciesTakenUp:
    """What reading node.yaml again came to; the scope of the node as a whole is `node`."""

    in_force: Mapping[str, str]
    waiting: Sequence[Mapping[str, Any]]
    told: Sequence[str]
    """What waits, a line each, for people."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The key that a node signs release packages with."""

    public_key: str
    key_id: str
    file: Path | None
    """Where it lies, on the node's own machine."""


class CodePort(Protocol):
    """Code revisions."""

    def submit(self, actor: Actor, project: str, commit: str | None) -> CodeRevision: ...
    def list(self, actor: Actor, project: str) -> Sequence[CodeRevision]: ...
    def show(self, actor: Actor, project: str, commit: str) -> CodeRevision: ...
    def approvals(self, actor: Actor, project: str, commit: str) -> Sequence[CountedApproval]: ...
    def statement(self, actor: Actor, project: str, commit: str) -> bytes: ...
    def approve(
        self,
        actor: Actor,
        project: str,
        commit: str,
        *,
        note: str = "",
        signed: SignedStatement | None = None,
    ) -> CodeRevision: ...
    def reject(self, actor: Actor, project: str, commit: str, *, reason: str) -> CodeRevision: ...
    def restore(self, actor: Actor, project: str, commit: str, *, reason: str) -> CodeRevision: ...
    def revoke(
        self, actor: Actor, project: str, commit: str, *, reason: str, stop_runs: bool = False
    ) -> CodeRevision: ...


class DiffPort(Protocol):
    """What code revisions change."""

    def diff(
        self,
        actor: Actor,
        project: str,
        commit: str,
        *,
        against: str | None = None,
        with_lines: bool = False,
        paths: Sequence[str] = (),
    ) -> CodeDiff: ...


class CapsulePort(Protocol):
    """Run capsules."""

    def list(
        self, actor: Actor, project: str, states: Sequence[CapsuleState] = ()
    ) -> Sequence[CapsuleApproval]: ...
    def show(self, actor: Actor, project: str, name: str) -> CapsuleView: ...
    def approve(
        self, actor: Actor, project: str, name: str, *, times: int = 1, days: int | None = None
    ) -> CapsuleApproval: ...
    def reject(self, actor: Actor, project: str, name: str, *, reason: str) -> CapsuleApproval: ...
    def revoke(self, actor: Actor, project: str, name: str, *, reason: str) -> CapsuleApproval: ...


class LineagePort(Protocol):
    """Where files come from."""

    def of(self, actor: Actor, project: str, what: str) -> Lineage: ...


class PolicyPort(Protocol):
    """Policy versions."""

    def list(self, actor: Actor, scope: str) -> Sequence[PolicyRecord]: ...
    def show(self, actor: Actor, scope: str, number: int | None = None) -> PolicyRecord: ...
    def diff(self, actor: Actor, scope: str, number: int) -> Mapping[str, Any]: ...
    def approve(self, actor: Actor, scope: str, number: int) -> PolicyRecord: ...
    def reject(self, actor: Actor, scope: str, number: int, *, reason: str) -> PolicyRecord: ...
    def reload(self, actor: Actor) -> PoliciesTakenUp: ...


class ReleasePort(Protocol):
    """Release requests, as their viewer may see them."""

    def request(
        self, actor: Actor, project: str, groups: Sequence[AskedGroup], told: Told
    ) -> ReleaseSummary: ...
    def resubmit(
        self, actor: Actor, name: str, groups: Sequence[AskedGroup], told: Told
    ) -> ReleaseSummary: ...
    def submit(self, actor: Actor, name: str, told: Told) -> ReleaseSummary: ...
    def list(self, actor: Actor, project: str) -> Sequence[ReleaseLine]: ...
    def show(self, actor: Actor, name: str, *, turn: int | None = None) -> ReleaseSummary: ...
    def history(self, actor: Actor, name: str) -> Sequence[HistoryEvent]: ...
    def read_file(
        self, actor: Actor, name: str, path: str, *, turn: int | None = None
    ) -> Iterable[bytes]: ...
    def comment(
        self, actor: Actor, name: str, text: str, *, private: bool, group: str | None
    ) -> ReleaseSummary: ...
    def vote(
        self,
        actor: Actor,
        name: str,
        votes: Mapping[str, Vote],
        *,
        justification: str,
        reason: str,
        turn: int,
    ) -> ReleaseSummary: ...
    def approve(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary: ...
    def reject(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary: ...
    def return_(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary: ...
    def withdraw(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary: ...
    def withdraw_file(self, actor: Actor, name: str, path: str) -> ReleaseSummary: ...
    def revoke(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary: ...
    def download(self, actor: Actor, name: str, target: Path) -> Path: ...


class OutputPort(Protocol):
    """Outputs of runs."""

    def list(self, actor: Actor, project: str, run_id: str | None = None) -> Sequence[Output]: ...


class CheckPort(Protocol):
    """Output checks, for oneself."""

    def rehearse(self, actor: Actor, project: str, choice: Choice) -> CheckReport: ...


class AuditPort(Protocol):
    """The audit log."""

    @property
    def key(self) -> VerifierKey: ...
    def tail(self, actor: Actor, count: int, *, project: str | None = None) -> Sequence[Entry]: ...
    def export(self, actor: Actor) -> Iterator[bytes]: ...
    def verify(self, actor: Actor) -> Verification: ...
    def prove(self, actor: Actor, seq: int) -> InclusionProof: ...
    def prove_extension(self, actor: Actor, old: int) -> ConsistencyProof: ...
    def checkpoint(self, actor: Actor) -> Checkpoint: ...


class AnchorPort(Protocol):
    """The outside anchors of the audit log."""

    def submit(self) -> Sequence[AnchorState]: ...
    def states(self) -> Sequence[AnchorState]: ...


class ReplayPort(Protocol):
    """Past decisions, taken again."""

    def replay(self, actor: Actor, seq: int) -> Replay: ...


class MadeSecret(Protocol):
    """A token just made: the one time it is known."""

    @property
    def secret(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...


class CoordinatorPort(Protocol):
    """Federation coordinators."""

    def list(self) -> Sequence[CoordinatorSummary]: ...
    def issue_token(self, actor: Actor, name: str, *, lifetime: timedelta) -> MadeSecret: ...
    def revoke(self, actor: Actor, name: str) -> int: ...


class KeyPort(Protocol):
    """The keys that people sign approvals with."""

    def list(self, person: str) -> Sequence[ApproverKey]: ...
    def current(self, person: str) -> ApproverKey: ...
    def make(self, actor: Actor, person: str) -> ApproverKey: ...
    def register(self, actor: Actor, person: str, public_key: str) -> ApproverKey: ...
    def register_first(self, actor: Actor, public_key: str) -> ApproverKey: ...
    def revoke(self, actor: Actor, person: str, key_id: str | None = None, *, reason: str) -> ApproverKey: ...


class NodePort(Protocol):
    """A node, wherever it is."""

    @property
    def code_revisions(self) -> CodePort: ...
    @property
    def code_diffs(self) -> DiffPort: ...
    @property
    def capsules(self) -> CapsulePort: ...
    @property
    def lineages(self) -> LineagePort: ...
    @property
    def policies(self) -> PolicyPort: ...
    @property
    def releases(self) -> ReleasePort: ...
    @property
    def outputs(self) -> OutputPort: ...
    @property
    def output_checks(self) -> CheckPort: ...
    @property
    def audit(self) -> AuditPort: ...
    @property
    def anchoring(self) -> AnchorPort | None: ...
    @property
    def replays(self) -> ReplayPort: ...
    @property
    def coordinators(self) -> CoordinatorPort: ...
    @property
    def approver_keys(self) -> KeyPort: ...
    @property
    def users(self) -> UserPort: ...

    def acting(self, verb: Verb | None = None) -> Actor:
        """Who acts, once they may do `verb` on the node; without a verb the use cases check who may."""
        ...

    def acting_for(self, name: str, what: str | None = None) -> Actor:
        """Who acts on what is a user's: they themselves, or who manages users. `what` changes something."""
        ...


class FolderPort(Protocol):
    """What a node says of itself, also before it was ever started."""

    def release_key(self) -> PublicKey: ...
    def projects(self) -> Sequence[ProjectRow]: ...
    def status(self) -> Mapping[str, Any]:
        """What the running node does; UnavailableError when it does not run."""
        ...
