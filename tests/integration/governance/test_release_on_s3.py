"""The release zone in a bucket of a real server: whole packages, once, also through an outage or a crash."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.governance.governed_site import ANA, IDA, MIB, Site
from tests.integration.governance.released import FILES, approved, whole
from tests.s3_server import S3Server

from phems.adapters.clock import SystemClock
from phems.adapters.s3.release_zone import S3ReleaseZone
from phems.bootstrap.storage import NodeFiles
from phems.domain.release_states import ReleaseState
from phems.errors import IntegrityError, NotFoundError
from phems.nodespec import node_paths, parse_node
from phems.services.ports.artifacts import PackageFile

SPEC = "version: 1\nnode: {name: node-a}\ncontroller: {name: b}\n"
LARGE = {**FILES, "large.csv": b"a,b\n" + b"1,2\n" * 5_000_000}


class Zone:
    """A release bucket with object lock, and what lies in it."""

    def __init__(self, server: S3Server, folder: Path, retry_seconds: int = 60) -> None:
        self.name = f"releases-{secrets.token_hex(6)}"
        self.client = server.client()
        self.client.create_bucket(Bucket=self.name, ObjectLockEnabledForBucket=True)
        settings = (
            f"{{bucket: artifacts, release_bucket: {self.name}, endpoint: '{server.endpoint}', "
            f"object_lock_days: 1, retry_seconds: {retry_seconds}}}"
        )
        spec = parse_node(f"{SPEC}storage: {{s3: {settings}}}\n")
        self.paths = node_paths(spec, folder)
        zone = NodeFiles(spec, self.paths, SystemClock()).release_zone
        assert isinstance(zone, S3ReleaseZone)
        self.zone = zone

    def names(self) -> set[str]:
        listed = self.client.list_objects_v2(Bucket=self.name)
        return {found["Key"] for found in listed.get("Contents", ())}

    def versions(self) -> list[str]:
        """The name of each object, as often as it was written."""
        return [
            found["Key"] for found in self.client.list_object_versions(Bucket=self.name).get("Versions", ())
        ]


@pytest.fixture
def bucketed(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return Zone(s3, tmp_path / "node")


def test_a_package_is_published_once_locked_and_handed_out_whole(
    site: Site, run_of: Callable[..., str], bucketed: Zone, tmp_path: Path
) -> None:
    name = approved(site, run_of)
    publisher = site.publisher_with(bucketed.zone)
    [publication] = publisher.publish_approved()
    assert publication.error is None
    assert publication.package == f"s3://{bucketed.name}/{name}/"
    assert bucketed.names() == whole(name)
    assert publisher.publish_approved() == []
    assert len(bucketed.versions()) == len(whole(name))
    head = bucketed.client.head_object(Bucket=bucketed.name, Key=f"{name}/files/km.csv")
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert not list(bucketed.paths.outgoing.glob(".tmp-*"))

    copied = bucketed.zone.copy_to(name, tmp_path)
    assert (copied / "files/km.csv").read_bytes() == FILES["km.csv"]
    with pytest.raises(NotFoundError):
        bucketed.zone.copy_to("REL-0", tmp_path)


class DyingZone:
    """The zone of a publisher that dies when so many objects are placed."""

    def __init__(self, zone: S3ReleaseZone, after: int) -> None:
        self._zone = zone
        self._left = after
        bucket: Any = zone._bucket
        passing = bucket.passing

        def dying(*arguments: Any, **options: Any) -> Iterator[bytes]:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
            yield from passing(*arguments, **options)

        bucket.passing = dying

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zone, name)


@pytest.mark.parametrize("after", [0, 3, 7])
def test_a_publisher_that_dies_while_it_places_leaves_no_package_and_the_next_completes_it(
    site: Site, run_of: Callable[..., str], s3: S3Server, bucketed: Zone, tmp_path: Path, after: int
) -> None:
    """Otherwise a receiver takes half a package for a whole one, or gets files twice."""
    name = approved(site, run_of)
    with pytest.raises(KeyboardInterrupt):
        site.publisher_with(DyingZone(bucketed.zone, after)).publish_approved()  # type: ignore[arg-type]
    assert site.releases.show(ANA, name).request.state is ReleaseState.RELEASED
    assert f"{name}/manifest.json" not in bucketed.names()

    del bucketed.zone._bucket.passing
    [publication] = site.publisher_with(bucketed.zone).publish_approved()
    assert publication.error is None
    assert bucketed.names() == whole(name)
    assert len(bucketed.versions()) == len(whole(name))
    assert len(site.entries("release.publish")) == 1


def test_other_bytes_under_a_released_name_are_refused(
    site: Site, run_of: Callable[..., str], bucketed: Zone
) -> None:
    """Otherwise who can write to the bucket puts a file into a package that the node then signs for."""
    name = approved(site, run_of)
    bucketed.client.put_object(Bucket=bucketed.name, Key=f"{name}/files/km.csv", Body=b"planted")
    publisher = site.publisher_with(bucketed.zone)
    [publication] = publisher.publish_approved()
    assert isinstance(publication.error, IntegrityError)
    assert "taken by another file" in publication.error.what
    assert not bucketed.zone.holds(name)
    assert bucketed.versions().count(f"{name}/files/km.csv") == 1


def test_bytes_that_were_not_reviewed_do_not_reach_the_bucket(bucketed: Zone) -> None:
    parts: Mapping[str, bytes] = {"manifest.json": b"{}"}
    files: Iterable[PackageFile] = [PackageFile("files/x.csv", "0" * 64, [b"other"])]
    with pytest.raises(IntegrityError, match="not the one that was reviewed"):
        bucketed.zone.stage("REL-1", parts, files)
    assert not bucketed.names()
    assert not list(bucketed.paths.outgoing.glob(".tmp-*"))


def test_a_revocation_s_notice_is_put_into_the_package_once(
    site: Site, run_of: Callable[..., str], bucketed: Zone
) -> None:
    name = approved(site, run_of)
    publisher = site.publisher_with(bucketed.zone)
    publisher.publish_approved()
    site.releases.revoke(IDA, name, reason="A count was wrong")
    publisher.publish_approved()
    publisher.publish_approved()
    added = bucketed.names() - whole(name)
    assert added
    assert all(bucketed.versions().count(key) == 1 for key in added)


def test_a_large_file_is_placed_in_parts_and_locked(
    site: Site, run_of: Callable[..., str], bucketed: Zone
) -> None:
    """Some services forget the lock of what comes in parts."""
    site.set_rules(max_file_size=32 * MIB, max_output_size=32 * MIB)
    name = approved(site, run_of, LARGE)
    [publication] = site.publisher_with(bucketed.zone).publish_approved()
    assert publication.error is None
    assert bucketed.names() == whole(name, LARGE)
    assert len(bucketed.versions()) == len(whole(name, LARGE))
    head = bucketed.client.head_object(Bucket=bucketed.name, Key=f"{name}/files/large.csv")
    assert head["ContentLength"] == len(LARGE["large.csv"])
    assert head["ObjectLockMode"] == "GOVERNANCE"


def test_what_was_published_cannot_be_removed_by_the_node(
    site: Site, run_of: Callable[..., str], bucketed: Zone
) -> None:
    name = approved(site, run_of)
    site.publisher_with(bucketed.zone).publish_approved()
    key = f"{name}/files/km.csv"
    version = bucketed.client.head_object(Bucket=bucketed.name, Key=key)["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        bucketed.client.delete_object(Bucket=bucketed.name, Key=key, VersionId=version)
