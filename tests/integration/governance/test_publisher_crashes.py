"""Attack 37 for releases: the publisher dies at any point, and what is left is whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.governance.governed_site import ANA, IDA, Site
from tests.integration.governance.released import FILES, approved, whole

from phems.adapters.files.release_zone import FolderReleaseZone
from phems.adapters.postgres.unit_of_work import PostgresGovernance, PostgresTransaction
from phems.domain.release_states import ReleaseState
from phems.errors import UnavailableError


class KilledError(BaseException):
    """Stands for kill -9: nothing catches it, and nothing is tidied up after it."""


class Fuse:
    """Burns at the n-th step of a publication; from then on nothing works any more, as in a dead process."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.burnt = False

    def step(self) -> None:
        if self.burnt:
            raise KilledError
        self._left -= 1
        if self._left < 0:
            self.burnt = True
            raise KilledError


class FusedZone(FolderReleaseZone):
    """The real release zone; before and after each change to the disk the process may die."""

    def __init__(self, root: Path, fuse: Fuse) -> None:
        super().__init__(root)
        self._fuse = fuse

    def stage(self, request_id: str, parts: Mapping[str, bytes], files: Any) -> None:
        def dying() -> Iterator[Any]:
            for file in files:
                self._fuse.step()
                yield file

        self._fuse.step()
        super().stage(request_id, parts, dying())
        self._fuse.step()

    def place(self, request_id: str) -> None:
        self._fuse.step()
        super().place(request_id)
        self._fuse.step()

    def discard(self, request_id: str) -> None:
        if not self._fuse.burnt:
            super().discard(request_id)


class FusedGovernance:
    """The real database; the process may die before each transaction, before and after its commit."""

    def __init__(self, real: PostgresGovernance, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        self._fuse.step()
        with self._real.transaction() as work:
            yield work
            self._fuse.step()
        self._fuse.step()


def visible(site: Site) -> set[str]:
    """The files that have left the node: those outside of hidden folders."""
    zone = site.folder / "zone"
    found = (place.relative_to(zone) for place in zone.rglob("*") if place.is_file())
    return {str(place) for place in found if not place.parts[0].startswith(".")}


@pytest.mark.parametrize("at", range(24))
def test_a_publisher_that_dies_leaves_nothing_half_released(
    site: Site, run_of: Callable[..., str], at: int
) -> None:
    """Otherwise files leave the node without a record, or a release is recorded and never arrives."""
    name = approved(site, run_of)
    fuse = Fuse(at)
    dying = site.publisher_with(
        FusedZone(site.folder / "zone", fuse),
        FusedGovernance(site.governance, fuse),  # type: ignore[arg-type]
    )

    try:
        dying.publish_approved()
    except KilledError:
        state = site.releases.show(ANA, name).request.state
        # No visible file without RELEASED; and a package is visible as a whole.
        assert visible(site) in (set(), whole(name))
        assert state is ReleaseState.RELEASED or not visible(site)
        assert len(site.entries("release.publish")) == (state is ReleaseState.RELEASED)

    site.publisher.publish_approved()
    assert site.releases.show(ANA, name).request.state is ReleaseState.RELEASED
    assert visible(site) == whole(name)
    assert (site.zone.path(name) / "files/km.csv").read_bytes() == FILES["km.csv"]
    assert len(site.entries("release.publish")) == 1
    assert not (site.folder / "zone" / f".tmp-{name}").exists()
    assert site.publisher.publish_approved() == []


def test_the_fuses_cover_the_whole_publication(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise the test above misses the last steps when the publication grows."""
    approved(site, run_of)
    fuse = Fuse(24)
    site.publisher_with(
        FusedZone(site.folder / "zone", fuse),
        FusedGovernance(site.governance, fuse),  # type: ignore[arg-type]
    ).publish_approved()
    assert not fuse.burnt


def test_a_request_revoked_between_record_and_package_never_becomes_visible(
    site: Site, run_of: Callable[..., str]
) -> None:
    """Otherwise what was called back in time leaves all the same."""
    name = approved(site, run_of)
    for at in range(24):
        fuse = Fuse(at)
        dying = site.publisher_with(
            FusedZone(site.folder / "zone", fuse),
            FusedGovernance(site.governance, fuse),  # type: ignore[arg-type]
        )
        with pytest.raises(KilledError):
            dying.publish_approved()
        if site.releases.show(ANA, name).request.state is ReleaseState.RELEASED:
            break
    assert visible(site) == set()
    site.releases.revoke(IDA, name, reason="Called back")
    site.publisher.publish_approved()
    assert visible(site) == set()


def test_a_full_disk_releases_nothing_and_says_so(
    site: Site, run_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise half a package is released when the disk of the release zone fills up."""
    name = approved(site, run_of)
    real = os.fsync

    def full(descriptor: int) -> None:
        if f".tmp-{name}" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    [publication] = site.publisher.publish_approved()
    assert isinstance(publication.error, UnavailableError)
    assert "the disk is full" in publication.error.why
    assert "df -h" in publication.error.remedy
    assert site.releases.show(ANA, name).request.state is ReleaseState.APPROVED
    assert visible(site) == set()
    monkeypatch.undo()
    assert site.publisher.publish_approved()[0].package is not None
