"""The publisher: moves APPROVED requests to RELEASED, so that a crash leaves nothing half released.

The order of a publication, and what a crash after each step leaves:
1. The package's parts are made and signed, and the package is staged in the release zone, out of sight;
   every frozen byte is hashed as it is copied. A crash leaves a hidden folder that the next attempt throws
   away.
2. One transaction: the state becomes RELEASED, the parts are kept byte for byte, the audit entry is
   written. A crash leaves a RELEASED request without a visible package; step 3 makes up for it.
3. In a second transaction, with the request locked and still RELEASED, one rename makes the package
   visible; that is noted, and told to coordinators. When it is not noted, the next attempt finds the package
   and notes it; when the staged folder is gone, it is staged again from the frozen bytes and the kept parts.
So no visible file is without RELEASED, and every RELEASED request gets its complete package.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from phems.domain.actors import Actor
from phems.domain.canonical import sha256
from phems.domain.release_outbox import PackageEvent
from phems.domain.release_packages import ATTESTATION, MANIFEST, package_paths, votes_on
from phems.domain.release_states import ReleaseAction, ReleaseState
from phems.domain.releases import ReleaseRequest, acted
from phems.domain.votes import Vote
from phems.errors import IntegrityError, PhemsError
from phems.services.package_parts import PackageParts
from phems.services.ports import Governance, Transaction
from phems.services.ports.artifacts import FrozenFiles, PackageFile, ReleaseZone
from phems.services.ports.clock import Clock
from phems.services.ports.release_packages import PackageRecord
from phems.services.refusals import recorded_refusals
from phems.services.release_acts import digests, recorded
from phems.services.vote_signatures import VoteSignatures

PUBLISHER = Actor("publisher", "system")

_LOG = logging.getLogger("phems.publisher")


@dataclass(frozen=True)
class Publication:
    """What became of one request: where the package lies, or the error that kept it back."""

    request_id: str
    package: str | None = None
    error: PhemsError | None = None


class Publisher:
    """Publishes what was approved. Idempotent: any call may be repeated, by any process, at any time."""

    def __init__(
        self,
        governance: Governance,
        frozen: FrozenFiles,
        zone: ReleaseZone,
        parts: PackageParts,
        votes: VoteSignatures,
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._frozen = frozen
        self._zone = zone
        self._parts = parts
        self._votes = votes
        self._clock = clock

    def publish_approved(self) -> Sequence[Publication]:
        """Complete what was begun, publish what is APPROVED, and tell of what was revoked.

        To be called when the node starts and on each announcement. One request that cannot be published
        keeps no other back.
        """
        with self._zone.exclusive():
            with self._governance.transaction() as work:
                approved = work.releases.in_state({ReleaseState.APPROVED})
                unplaced = work.packages.unplaced()
                revoked = work.packages.revoked()
            told = [self._attempt(name, self._tell_revocation) for name in revoked]
            done = [self._attempt(name, self._publish) for name in dict.fromkeys([*unplaced, *approved])]
            return [*(publication for publication in told if publication.error), *done]

    def _attempt(self, name: str, act: Callable[[str], str | None]) -> Publication:
        try:
            return Publication(name, act(name))
        except PhemsError as error:
            _LOG.error("the publisher could not do its part for %s: %s", name, error.logged or error)
            return Publication(name, error=error)

    def _publish(self, name: str) -> str | None:
        """Publish one request; None when it is not, or no longer, to be published."""
        with self._governance.transaction() as work:
            request = work.releases.get(name)
            package = work.packages.get(name)
        if request is None:
            return None
        with recorded_refusals(self._governance, PUBLISHER, "release.publish", name, project=request.project):
            if request.state is ReleaseState.APPROVED:
                released = self._release(request)
                return self._complete(request, released, staged=True) if released else None
            return self._complete(request, package, staged=False) if package else None

    def _release(self, request: ReleaseRequest) -> PackageRecord | None:
        """Steps 1 and 2."""
        now = self._clock.now()
        with self._governance.transaction() as work:
            self._check_votes(work, request)
            facts = self._parts.facts(work, request, now)
        parts = self._parts.make(facts)
        self._zone.stage(request.id, parts, self._package_files(request))  # 1
        try:
            with self._governance.transaction() as work:
                present = work.releases.get(request.id, lock=True)
                if present is None or replace(present, comments=()) != replace(request, comments=()):
                    self._zone.discard(request.id)
                    return None
                released = acted(present, ReleaseAction.RELEASE, by=PUBLISHER.name, at=now)
                released = replace(released, package_digest=sha256(parts[MANIFEST]))
                work.releases.save(released)
                work.packages.add(request.id, parts)
                recorded(
                    work,
                    PUBLISHER,
                    "release.publish",
                    released,
                    present,
                    manifest=released.package_digest,
                    attestation=sha256(parts[ATTESTATION]),
                    policy_version=facts.policy_version,
                    files=digests(released.approved_files()),
                )  # 2
        except BaseException:
            # Also when it did commit and only the answer was lost: completing stages anew.
            self._zone.discard(request.id)
            raise
        return PackageRecord(request.id, parts, None)

    def _check_votes(self, work: Transaction, request: ReleaseRequest) -> None:
        """The votes that let each file go are those of checkers, whatever the database says of the state."""
        for file in request.approved_files():
            for vote in votes_on(request, file.path):
                if vote.vote is not Vote.APPROVED:
                    continue
                by_author = vote.checker in request.authors
                problem = "an author cannot vote" if by_author else self._votes.problem(work, request, vote)
                if problem is not None:
                    raise IntegrityError(
                        f"A vote of {vote.checker} on {request.id} does not count, so nothing is released.",
                        why=f"{problem}; the vote is on the file with the SHA-256 {file.sha256}.",
                        remedy="Find out who changed the database: phems audit verify. "
                        f'Then revoke the request: phems release revoke {request.id} --reason "..."',
                    )

    def _complete(self, request: ReleaseRequest, package: PackageRecord, *, staged: bool) -> str | None:
        """Step 3. What an earlier attempt staged is not trusted: it is staged anew."""
        with self._governance.transaction() as work:
            present = work.releases.get(request.id, lock=True)
            if present is None or present.state is not ReleaseState.RELEASED:
                self._zone.discard(request.id)
                return None
            if not self._zone.holds(request.id):
                if not staged:
                    self._parts.check(present, package)
                    self._zone.stage(request.id, package.parts, self._package_files(present))
                self._zone.place(request.id)  # 3
            now = self._clock.now()
            work.packages.mark_placed(request.id, now)
            work.packages.tell(request.id, PackageEvent.RELEASED, now)
        return self._zone.address(request.id)

    def _package_files(self, request: ReleaseRequest) -> Iterator[PackageFile]:
        released = request.approved_files()
        paths = package_paths(released)
        for file in released:
            chunks = self._frozen.chunks(request.id, request.turn, file.path)
            yield PackageFile(paths[file.path], file.sha256, chunks)

    def _tell_revocation(self, name: str) -> str | None:
        """Put a signed notice into the package of a request that was released and then revoked, and tell it.

        A package that never became visible needs none. Coordinators are told once the notice is there.
        """
        if not self._zone.holds(name):
            self._zone.discard(name)
            return None
        with self._governance.transaction() as work:
            request = work.releases.get(name)
            package = work.packages.get(name)
            if request is None or package is None:
                return None
            attestation = package.parts.get(ATTESTATION, b"")
            for path, content in self._parts.revocation(request, attestation).items():
                self._zone.add_notice(name, path, content)
            now = self._clock.now()
            work.packages.mark_placed(name, now)
            work.packages.tell(name, PackageEvent.RELEASED, now)
            work.packages.tell(name, PackageEvent.REVOKED, now)
        return self._zone.address(name)
