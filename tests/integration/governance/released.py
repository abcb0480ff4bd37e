"""A package on its way, for tests of what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.integration.governance.governed_site import ANA, CARA, CHRIS, PROJECT, Site

from phems.domain.votes import Vote
from phems.services.release_files import Choice
from phems.services.releases import Case

FILES = {"km.csv": b"time,at_risk\n0,500\n", "note.txt": b"500 patients\n"}
PARTS = (
    "README.html",
    "attestation.dsse.json",
    "checks.json",
    "lineage.ndjson",
    "manifest.json",
    "ro-crate-metadata.json",
)


def approved(site: Site, run_of: Callable[..., str], files: dict[str, bytes] = FILES) -> str:
    """The name of a request whose files two checkers have approved."""
    view = site.releases.request(ANA, PROJECT, Choice(run_of(files)), Case("a table", "rounded"))
    for checker in (CHRIS, CARA):
        site.releases.vote(checker, view.request.id, Vote.APPROVED)
    return view.request.id


def released(site: Site, run_of: Callable[..., str], files: dict[str, bytes] = FILES) -> Path:
    """The package of such a request, placed."""
    name = approved(site, run_of, files)
    [publication] = site.publisher.publish_approved()
    assert publication.error is None, publication.error
    assert publication.package == str(site.zone.path(name))
    return site.zone.path(name)


def whole(name: str, files: dict[str, bytes] = FILES) -> set[str]:
    """The files that a complete package has, below the release zone."""
    return {f"{name}/{part}" for part in PARTS} | {f"{name}/files/{file}" for file in files}
