"""The generated parts of a release package: made once, kept byte for byte, and verified before they leave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from phems.domain.canonical import sha256
from phems.domain.lineage import lineage_of
from phems.domain.package_checks import checks_of
from phems.domain.provenance import RELEASE, read_statement, release_statement, revocation_statement
from phems.domain.release_facts import NodeIdentity, ReleaseFacts, RunProvenance
from phems.domain.release_packages import (
    ATTESTATION,
    CHECKS,
    CRATE,
    LINEAGE,
    MANIFEST,
    NOTICE,
    NOTICE_ATTESTATION,
    README,
    manifest_of,
    released_digests,
    revocation_notice,
)
from phems.domain.releases import ReleaseRequest, RunOrigin
from phems.domain.ro_crate import crate_of
from phems.errors import IntegrityError
from phems.services.ports import Transaction
from phems.services.ports.release_packages import EngineRuns, PackageRecord, PackageSigner, ReadmeWriter


class PackageParts:
    """Makes the parts of packages from what governance and the engine have on record, and signs them."""

    def __init__(
        self, identity: NodeIdentity, signer: PackageSigner, readme: ReadmeWriter, engine_runs: EngineRuns
    ) -> None:
        self._identity = identity
        self._signer = signer
        self._readme = readme
        self._engine_runs = engine_runs

    def facts(self, work: Transaction, request: ReleaseRequest, released_at: datetime) -> ReleaseFacts:
        """What is known of a release that is about to happen."""
        leaving = {file.run_id for file in request.approved_files()}
        origins = sorted((run for run in request.runs if run.run_id in leaving), key=lambda run: run.run_id)
        return ReleaseFacts(
            request=request,
            node=self._identity,
            released_at=released_at,
            policy_version=work.policies.current(request.project).label,
            report=work.output_checks.of(request.id, request.turn),
            runs=tuple(self._run(work, origin) for origin in origins),
        )

    def make(self, facts: ReleaseFacts) -> dict[str, bytes]:
        """Every generated part by its path. The attestation is made last: it vouches for all the others."""
        parts = {
            MANIFEST: manifest_of(facts),
            CRATE: crate_of(facts),
            CHECKS: checks_of(facts),
            LINEAGE: lineage_of(facts),
        }
        parts[README] = self._readme(facts, [*parts, ATTESTATION])
        digests = {path: sha256(content) for path, content in parts.items()}
        statement = release_statement(facts, {**digests, **released_digests(facts.request)})
        return {**parts, ATTESTATION: self._signer.seal(statement)}

    def check(self, request: ReleaseRequest, package: PackageRecord) -> None:
        """The kept parts are those that this node signed, and they are about the reviewed bytes.

        The key lies outside the database: who can write to the database alone cannot make a package.
        """
        why = self._problem(request, package.parts)
        if why is not None:
            raise IntegrityError(
                f"The package of {request.id} is not the one that was recorded with its release.",
                why=f"{why}.",
                remedy="Find out who changed the database: phems audit verify. Then revoke the request.",
            )

    def revocation(self, request: ReleaseRequest, attestation: bytes) -> dict[str, bytes]:
        """What joins the package of a request that was revoked: the signature first, then the notice."""
        notice = revocation_notice(request)
        statement = revocation_statement(request, notice, attestation)
        return {NOTICE_ATTESTATION: self._signer.seal(statement), NOTICE: notice}

    def _problem(self, request: ReleaseRequest, parts: Mapping[str, bytes]) -> str | None:
        manifest, attestation = parts.get(MANIFEST), parts.get(ATTESTATION)
        if manifest is None or attestation is None:
            return f"{MANIFEST if manifest is None else ATTESTATION} is missing"
        if sha256(manifest) != request.package_digest:
            return f"the manifest's SHA-256 is {sha256(manifest)}; recorded was {request.package_digest}"
        try:
            signed = read_statement(self._signer.opened(attestation), RELEASE).subjects
        except IntegrityError as error:
            return error.why.rstrip(".")
        kept = {path: sha256(content) for path, content in parts.items() if path != ATTESTATION}
        found = {**kept, **released_digests(request)}
        for path in sorted(found.keys() | signed.keys()):
            if found.get(path) != signed.get(path):
                return f"the SHA-256 of {path} is {found.get(path)}; signed was {signed.get(path)}"
        return None

    def _run(self, work: Transaction, origin: RunOrigin) -> RunProvenance:
        admission = work.runs.admission(origin.run_id)
        capsule = work.runs.capsule(origin.capsule) if origin.capsule else None
        data = capsule.document["data"] if capsule else {}
        return RunProvenance(
            origin,
            admitted_at=admission.at if admission else None,
            times=self._engine_runs.times(origin.run_id),
            data={name: found["version"] for name, found in data.items()},
        )
