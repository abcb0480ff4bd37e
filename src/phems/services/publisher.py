"""The publisher: moves APPROVED requests to RELEASED, so that a crash leaves nothing half released.

The order of a publication, and what a crash after each step leaves:
1. The package is staged in the release zone, out of sight; every frozen byte is hashed as it is
   copied. A crash leaves a hidden folder that the next attempt throws away.
2. One transaction: the state becomes RELEASED, the manifest is kept byte for byte, the audit entry is
   written. A crash leaves a RELEASED request without a visible package; step 3 makes up for it.
3. In a second transaction, with the request locked and still RELEASED, one rename makes the package
   visible, and that is noted. When it is not noted, the next attempt finds the package and notes it;
   when the staged folder is gone, it is staged again from the frozen bytes and the kept manifest.
So no visible file is without RELEASED, and every RELEASED request gets its complete package.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phems.domain.actors import Actor
from phems.domain.canonical import sha256
from phems.domain.release_packages import NodeIdentity, manifest_of, package_paths, revocation_notice
from phems.domain.release_states import ReleaseAction, ReleaseState
from phems.domain.releases import ReleaseRequest, acted
from phems.errors import IntegrityError, PhemsError
from phems.services.ports import Governance
from phems.services.ports.artifacts import FrozenFiles, PackageFile, ReleaseZone
from phems.services.ports.clock import Clock
from phems.services.ports.releases import PackageRecord
from phems.services.refusals import recorded_refusals

PUBLISHER = Actor("publisher", "system")
NOTICE = "REVOKED.json"

_LOG = logging.getLogger("phems.publisher")


@dataclass(frozen=True)
class Publication:
    """What became of one request: the package's folder, or the error that kept it back."""

    request_id: str
    package: Path | None = None
    error: PhemsError | None = None


class Publisher:
    """Publishes what was approved. Idempotent: any call may be repeated, by any process, at any time."""

    def __init__(
        self,
        governance: Governance,
        frozen: FrozenFiles,
        zone: ReleaseZone,
        identity: NodeIdentity,
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._frozen = frozen
        self._zone = zone
        self._identity = identity
        self._clock = clock

    def publish_approved(self) -> Sequence[Publication]:
        """Complete what was begun, publish what is APPROVED, and tell of what was revoked.

        To be called when the node starts and on each announcement. One request that cannot be published
        keeps no other back.
        """
        with self._zone.exclusive():
            with self._governance.transaction() as work:
                approved = work.releases.in_state({ReleaseState.APPROVED})
                unplaced = work.releases.unplaced()
                revoked = work.releases.in_state({ReleaseState.REVOKED})
            for name in revoked:
                self._tell_revocation(name)
            return [self._attempt(name) for name in dict.fromkeys([*unplaced, *approved])]

    def _attempt(self, name: str) -> Publication:
        try:
            return Publication(name, self._publish(name))
        except PhemsError as error:
            _LOG.error("the release request %s could not be published: %s", name, error)
            return Publication(name, error=error)

    def _publish(self, name: str) -> Path | None:
        """Publish one request; None when it is not, or no longer, to be published."""
        with self._governance.transaction() as work:
            request = work.releases.get(name)
            package = work.releases.package(name)
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
        manifest = manifest_of(request, self._identity, released_at=now)
        self._zone.stage(request.id, manifest, self._package_files(request))  # 1
        try:
            with self._governance.transaction() as work:
                present = work.releases.get(request.id, lock=True)
                if present is None or replace(present, comments=()) != replace(request, comments=()):
                    self._zone.discard(request.id)
                    return None
                released = acted(present, ReleaseAction.RELEASE, by=PUBLISHER.name, at=now)
                released = replace(released, package_digest=sha256(manifest))
                work.releases.save(released)
                work.releases.add_package(request.id, manifest)
                work.audit.append(
                    PUBLISHER,
                    "release.publish",
                    request.id,
                    project=request.project,
                    details={
                        "before": present.state.value,
                        "after": released.state.value,
                        "manifest": released.package_digest,
                        "files": {file.path: file.sha256 for file in released.approved_files()},
                    },
                )  # 2
        except BaseException:
            # Also when it did commit and only the answer was lost: completing stages anew.
            self._zone.discard(request.id)
            raise
        return PackageRecord(request.id, manifest, None)

    def _complete(self, request: ReleaseRequest, package: PackageRecord, *, staged: bool) -> Path | None:
        """Step 3. What an earlier attempt staged is not trusted: it is staged anew."""
        with self._governance.transaction() as work:
            present = work.releases.get(request.id, lock=True)
            if present is None or present.state is not ReleaseState.RELEASED:
                self._zone.discard(request.id)
                return None
            if not self._zone.holds(request.id):
                if not staged:
                    self._check_manifest(present, package)
                    self._zone.stage(request.id, package.manifest, self._package_files(present))
                self._zone.place(request.id)  # 3
            work.releases.mark_placed(request.id, self._clock.now())
        return self._zone.path(request.id)

    def _check_manifest(self, request: ReleaseRequest, package: PackageRecord) -> None:
        """The kept manifest is the one in the audit log, and names the reviewed bytes."""
        listed = {file["path"]: file["sha256"] for file in json.loads(package.manifest)["files"]}
        paths = package_paths(request.approved_files())
        reviewed = {paths[file.path]: file.sha256 for file in request.approved_files()}
        if sha256(package.manifest) != request.package_digest or listed != reviewed:
            raise IntegrityError(
                f"The manifest of {request.id} is not the one that was recorded with its release.",
                why=f"its SHA-256 is {sha256(package.manifest)}; recorded was {request.package_digest}.",
                remedy="Find out who changed the database: phems audit verify. Then revoke the request.",
            )

    def _package_files(self, request: ReleaseRequest) -> Iterator[PackageFile]:
        released = request.approved_files()
        paths = package_paths(released)
        for file in released:
            chunks = self._frozen.chunks(request.id, request.turn, file.path)
            yield PackageFile(paths[file.path], file.sha256, chunks)

    def _tell_revocation(self, name: str) -> None:
        """Put a notice into the package of a request that was released and then revoked."""
        if not self._zone.holds(name):
            return
        with self._governance.transaction() as work:
            request = work.releases.get(name)
        if request is not None:
            self._zone.add_notice(name, NOTICE, revocation_notice(request))
