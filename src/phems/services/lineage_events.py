"""Makes the OpenLineage events of runs and releases, keeps them, and hands them to where node.yaml says.

Events are read off what is committed: the run that was asked for, its row and its events in the engine, the
outbox of packages. What is not told yet is in the database as that, so a crash or an outage delays an event
and loses none. Each place has a cursor of its own, which moves once the place has taken what lies before it.
A crash in between hands the same events over once more, and an event that comes twice says the same twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from phems.domain.lineage_events import RunCase, end_of, release_events, start_of
from phems.domain.openlineage import ENDS
from phems.domain.release_facts import NodeIdentity
from phems.domain.run_lineage import EngineAsset, EngineRunFacts, RunLineage
from phems.domain.told_names import names_in, told
from phems.errors import PhemsError, UnavailableError
from phems.services.lineage import run_record
from phems.services.ports import Governance
from phems.services.ports.clock import Clock
from phems.services.ports.lineage import (
    CodeWords,
    EngineLineage,
    LineageTarget,
    TargetState,
    UntoldRun,
)

_LOG = logging.getLogger("phems.lineage")
RUNS_AT_ONCE = 100
RELEASES_AT_ONCE = 100
RELEASES = "releases"
"""The name of the cursor over the outbox of packages."""
ENDED = frozenset(ENDS)
BEGUN = ENDED | {"STARTED", "CANCELING"}
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 900))
"""Before each further try; the last of them for as long as it takes."""


@dataclass(frozen=True, kw_only=True)
class LineageSources:
    """What events are made from, beside governance."""

    engine: EngineLineage
    code: CodeWords
    node: NodeIdentity
    engine_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStanding:
    """How a place stands: how many events wait for it, and why it takes none; empty when it does."""

    name: str
    waiting: int
    failure: str


class LineageKeeper:
    """The use case."""

    def __init__(
        self,
        governance: Governance,
        sources: LineageSources,
        targets: Mapping[str, LineageTarget],
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._from = sources
        self._targets = targets
        self._clock = clock
        self._failures: dict[str, str] = {}
        self._broken: set[str] = set()

    def warnings(self) -> list[str]:
        """What an operator should look at: places that took nothing when last tried, events not made.

        Asked by another thread than the one that looks: of copies.
        """
        return [
            *(untaken(name, why) for name, why in sorted(self._failures.copy().items())),
            *(
                f"The lineage of {what} could not be told: see the node's log."
                for what in sorted(self._broken.copy())
            ),
        ]

    def collect(self) -> bool:
        """Make and keep the events of what has happened; whether there is more."""
        with self._governance.transaction() as work:
            untold = work.lineage.untold()
        statuses = self._from.engine.statuses([run.run_id for run in untold])
        due = [
            run
            for run in untold
            if statuses.get(run.run_id) in (BEGUN if not run.has_begun else ENDED)
            and _name(run) not in self._broken
        ]
        for run in due[:RUNS_AT_ONCE]:
            self._unless_broken(_name(run), partial(self._keep, run))
        has_more = self._unless_broken("releases", self._keep_releases)
        return bool(has_more) or len(due) > RUNS_AT_ONCE

    def deliver(self, goes_on: Callable[[], bool] = lambda: True) -> float | None:
        """Hand over what waits, as long as it `goes_on`; gives after how many seconds to come back.

        None when nothing waits.
        """
        following = [at for name in self._targets if (at := self._deliver_to(name, goes_on)) is not None]
        return max(0.0, (min(following) - self._clock.now()).total_seconds()) if following else None

    def _unless_broken(self, what: str, keep: Callable[[], bool | None]) -> bool | None:
        """What cannot be told of one must not keep the others back; it is tried again at the next start."""
        if what in self._broken:
            return None
        try:
            return keep()
        except UnavailableError:
            raise
        except Exception:  # noqa: BLE001 (logged, and told until the next start)
            _LOG.exception("the lineage of %s could not be told", what)
            self._broken.add(what)
            return None

    def _keep(self, run: UntoldRun) -> None:
        facts = self._from.engine.facts(run.run_id)
        if facts is None or facts.status not in BEGUN:
            return
        with self._governance.transaction() as work:
            record = run_record(work, run.project, run.run_id)
            outputs = work.outputs.of_run(run.project, run.run_id)
        case = RunCase(
            node=self._from.node,
            engine_version=self._from.engine_version,
            record=record,
            facts=replace(facts, project=run.project, assets=self._narrowed(facts, record)),
            outputs=outputs,
        )
        has_ended = facts.status in ENDED
        events = [*([] if run.has_begun else [start_of(case)]), *(end_of(case) if has_ended else [])]
        with self._governance.transaction() as work:
            work.lineage.add(events)
            (work.lineage.ended if has_ended else work.lineage.begun)(run.run_id)

    def _narrowed(self, facts: EngineRunFacts, record: RunLineage) -> tuple[EngineAsset, ...]:
        known = self._from.engine.planned(names_in(facts.assets)) | record.data.keys()
        digest = record.code_digest

        def in_code(names: Iterable[str]) -> frozenset[str]:
            return self._from.code.found(facts.project, digest, list(names)) if digest else frozenset()

        return told(facts.assets, in_code, known)

    def _keep_releases(self) -> bool:
        with self._governance.transaction() as work:
            after = work.lineage.target(RELEASES).number
            found = work.packages.told(after=after, limit=RELEASES_AT_ONCE)
            for event in found:
                request = work.releases.get(event.request_id)
                if request is not None:
                    work.lineage.add(release_events(self._from.node, event, request))
            if found:
                work.lineage.moved(RELEASES, found[-1].number)
        return len(found) == RELEASES_AT_ONCE

    def _deliver_to(self, name: str, goes_on: Callable[[], bool]) -> datetime | None:
        """Hand over to one place all that waits for it; when to try again, None when it has everything."""
        with self._governance.transaction() as work:
            state = work.lineage.target(name)
        if state.due_at is not None and state.due_at > self._clock.now():
            return state.due_at
        target, number = self._targets[name], state.number
        while goes_on():
            with self._governance.transaction() as work:
                found = work.lineage.after(number, limit=target.at_once)
            if not found:
                return None
            try:
                target.send([document for _, document in found])
            except PhemsError as error:
                return self._failed(name, state, error)
            self._failures.pop(name, None)
            number, state = found[-1][0], TargetState(found[-1][0])
            with self._governance.transaction() as work:
                work.lineage.moved(name, number)
        return self._clock.now()

    def _failed(self, name: str, state: TargetState, error: PhemsError) -> datetime:
        again = self._clock.now() + PAUSES[min(state.attempts, len(PAUSES) - 1)]
        if not state.failure:
            _LOG.warning("lineage events were not taken by the %s: %s", name, error)
        self._failures[name] = why = f"{error.what} {error.why}".strip()
        with self._governance.transaction() as work:
            work.lineage.failed(name, why, again)
        return again


def _name(run: UntoldRun) -> str:
    return f"run {run.run_id}"


def untaken(name: str, why: str) -> str:
    """That a place takes no lineage events."""
    return f"Lineage events wait, since the {name} took none: {why}"


def standings(governance: Governance, names: Iterable[str]) -> list[TargetStanding]:
    """How each of these places stands."""
    with governance.transaction() as work:
        return [
            TargetStanding(
                name=name, waiting=work.lineage.waiting(name), failure=work.lineage.target(name).failure
            )
            for name in names
        ]
