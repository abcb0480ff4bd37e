"""Outside anchors: places out of the node's reach that keep the log's checkpoints, and can contradict it.

A checkpoint is handed over after its act was committed, never before: one that was given away and whose
transaction then failed would show a fork where there is none. So an anchor may be behind for a while; how
long is said in node.yaml, and what then follows: acts are refused, or the failure is told and recorded. An
anchor that holds more than the log has, or other than the log has, is no failure but a finding: then no act
is possible, whatever node.yaml says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from phems.domain.actors import NODE
from phems.domain.audit import Head
from phems.domain.checkpoints import Checkpoint
from phems.errors import IntegrityError, PhemsError, UnavailableError
from phems.services.checkpoints import REMEDY, CheckpointKeeper, root_at
from phems.services.ports import Governance
from phems.services.ports.audit import Anchor, AuditTree, CheckpointStore
from phems.services.ports.clock import Clock
from phems.services.set_backs import is_left_behind

_RARELY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorRule:
    """One outside anchor, and what is asked of it."""

    name: str
    kind: str
    place: Anchor
    handed: CheckpointStore
    """The last checkpoint that it is known to have, as the node remembers it."""
    refuses: bool
    """Whether acts are refused while it is behind for too long."""
    within: timedelta
    """How long an entry may be missing there."""
    every: timedelta
    """How often it is given a new checkpoint, while there are new entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorState:
    """Where an anchor stands."""

    name: str
    kind: str
    size: int
    """How many entries its last checkpoint covers."""
    behind: int
    """How many came since."""
    since: datetime | None
    """When the first of these came."""
    on_failure: str
    failure: str
    """What went wrong with handing over; empty when nothing did."""


class Anchors:
    """The anchors of a node, as a gate: what must hold of them before an act."""

    def __init__(self, rules: Sequence[AnchorRule]) -> None:
        self.rules = tuple(rules)

    def check(self, head: Head, log: AuditTree, now: datetime) -> None:
        """Raise IntegrityError when an anchor contradicts the log, UnavailableError when it must not be
        behind and is."""
        for rule in self.rules:
            handed = rule.handed.read()
            if handed is not None:
                check_against(rule.name, handed, head, log)
            if rule.refuses and is_late(rule, handed, head, log, now):
                raise UnavailableError(
                    f"The outside anchor {rule.name} of the audit log is behind; nothing was done.",
                    why=f"an entry is missing there for more than {_minutes(rule.within)}, and node.yaml "
                    "says that acts are then refused.",
                    remedy="See what it says, then do it again: phems audit anchor",
                )

    def held(
        self, signed_by_node: Callable[[Checkpoint], bool]
    ) -> tuple[dict[str, Checkpoint], tuple[str, ...]]:
        """What the anchors hold, by name: asked now, or else as last handed over; and who says nothing."""
        held: dict[str, Checkpoint] = {}
        silent: list[str] = []
        for rule in self.rules:
            try:
                handed = rule.handed.read()
                found = rule.place.latest(handed.size if handed is not None else 0) or handed
            except PhemsError as error:
                silent.append(f"{rule.name}: {error.what}")
                continue
            if found is None:
                silent.append(f"{rule.name}: it has no checkpoint yet")
            elif not signed_by_node(found):
                silent.append(f"{rule.name}: what it holds is not signed by this node")
            else:
                held[rule.name] = found
        return held, tuple(silent)


class Anchoring:
    """Hands checkpoints over, and records when an anchor begins to fail and when it is well again."""

    def __init__(
        self, anchors: Anchors, *, governance: Governance, keeper: CheckpointKeeper, clock: Clock
    ) -> None:
        self._anchors = anchors
        self._governance = governance
        self._keeper = keeper
        self._clock = clock
        self._failing: dict[str, str] = {}
        self._recorded: set[str] = set()

    @property
    def anchors(self) -> Anchors:
        """The anchors."""
        return self._anchors

    @property
    def every(self) -> timedelta:
        """How often it is worth while to look."""
        return min((rule.every for rule in self._anchors.rules), default=_RARELY)

    def submit(self, *, due_only: bool = False) -> list[AnchorState]:
        """Hand the last checkpoint to every anchor (`due_only`: to those that have waited long enough).

        Never raises for an anchor: what went wrong is in its state, and in the audit log.
        """
        for rule in self._anchors.rules:
            if due_only and not self._is_due(rule):
                continue
            try:
                self._hand_over(rule)
            except PhemsError as error:
                self._tell(rule, error.what)
            else:
                self._tell(rule, "")
        return self.states()

    def states(self) -> list[AnchorState]:
        """Where each anchor stands, as the node remembers it."""
        with self._governance.transaction() as tx:
            head = tx.audit.head()
            return [self._state(rule, head, tx.audit) for rule in self._anchors.rules]

    def _state(self, rule: AnchorRule, head: Head, log: AuditTree) -> AnchorState:
        handed = rule.handed.read()
        size = handed.size if handed is not None else 0
        return AnchorState(
            name=rule.name,
            kind=rule.kind,
            size=size,
            behind=max(head.size - size, 0),
            since=log.written_at(size + 1),
            on_failure="refuse" if rule.refuses else "report",
            failure=self._failing.get(rule.name, ""),
        )

    def _is_due(self, rule: AnchorRule) -> bool:
        with self._governance.transaction() as tx:
            since = self._state(rule, tx.audit.head(), tx.audit).since
        return since is not None and self._clock.now() - since >= rule.every

    def _hand_over(self, rule: AnchorRule) -> None:
        """1. What the anchor holds is this node's, and this log's; it is remembered before it is judged.
        2. It is given the last checkpoint. 3. That it has it is remembered."""
        handed = rule.handed.read()
        held = rule.place.latest(handed.size if handed is not None else 0)
        if held is not None:  # 1
            if not self._keeper.signed_by_node(held):
                raise UnavailableError(f"The anchor {rule.name} holds what this node did not sign.")
            rule.handed.prepare(held).publish()
            with self._governance.transaction() as tx:
                check_against(rule.name, held, tx.audit.head(), tx.audit)
        checkpoint = self._keeper.read()
        if checkpoint is None or not self._keeper.signed_by_node(checkpoint):
            raise IntegrityError("The audit log has no checkpoint that this node signed.", remedy=REMEDY)
        if checkpoint.size > max((each.size for each in (handed, held) if each is not None), default=-1):
            rule.place.submit(checkpoint)  # 2
            rule.handed.prepare(checkpoint).publish()  # 3

    def _tell(self, rule: AnchorRule, failure: str) -> None:
        """Record the first failure and the first success after it, not each: or the log would fill itself."""
        self._failing[rule.name] = failure
        if bool(failure) == (rule.name in self._recorded):
            return
        details = {"kind": rule.kind, **({"failure": failure} if failure else {})}
        result = "failed" if failure else "done"
        # When the log takes no entries, for this anchor's sake or another's, it is recorded when it does.
        with suppress(PhemsError):
            with self._governance.transaction() as tx:
                tx.audit.append(NODE, "audit.anchor", rule.name, result=result, details=details)
            self._recorded ^= {rule.name}


def check_against(name: str, held: Checkpoint, head: Head, log: AuditTree) -> None:
    """Raise IntegrityError unless the log continues what an anchor holds, or says that it was set back."""
    continues = held.size <= head.size and root_at(held.size, head, log) == held.root
    if continues or is_left_behind(held, log):
        return
    if held.size > head.size:
        raise IntegrityError(
            f"The audit log ends at entry {head.size}, but the outside anchor {name} has a checkpoint of "
            f"{held.size}.",
            why="the node was set back to an earlier state, or the end of its log was cut off.",
            remedy=REMEDY,
        )
    raise IntegrityError(
        f"The audit log up to entry {held.size} is not the one that the outside anchor {name} has.",
        why="the log was written anew, or the node was set back and went on from there.",
        remedy=REMEDY,
    )


def is_late(rule: AnchorRule, handed: Checkpoint | None, head: Head, log: AuditTree, now: datetime) -> bool:
    """Whether an entry is missing at the anchor for longer than it may be."""
    size = handed.size if handed is not None else 0
    if size >= head.size:
        return False
    since = log.written_at(size + 1)
    return since is not None and now - since > rule.within


def _minutes(time: timedelta) -> str:
    return f"{time.total_seconds() / 60:g} min"
