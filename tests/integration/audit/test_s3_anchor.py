"""The S3 anchor against a server that speaks S3: locked objects, found again even behind a delete marker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from phems.adapters.anchors.s3 import S3Anchor
from phems.errors import UnavailableError

from .conftest import ADA, Site

BUCKET = "audit-anchor"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of a server of one's own, with a bucket that locks and one that does not."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "tests")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        client.create_bucket(Bucket="without-lock")
        yield client
    server.stop()


def anchor(site: Site, s3: Any, bucket: str = BUCKET, prefix: str = "node-a/") -> S3Anchor:
    return S3Anchor(
        bucket,
        prefix=prefix,
        endpoint=s3.meta.endpoint_url,
        region="us-east-1",
        mode="COMPLIANCE",
        retain=timedelta(days=30),
        now=site.clock.now,
    )


def test_a_checkpoint_is_put_locked_and_found_again(site: Site, s3: Any) -> None:
    site.anchor("vault", anchor(site, s3), refuses=True)
    site.act(3)
    (state,) = site.anchoring.submit()
    assert (state.size, state.failure) == (3, "")
    (found,) = s3.list_objects_v2(Bucket=BUCKET, Prefix="node-a/")["Contents"]
    head = s3.head_object(Bucket=BUCKET, Key=found["Key"])
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] == site.clock.now() + timedelta(days=30)
    assert anchor(site, s3).latest(0) == site.kept()
    assert site.log.verify(ADA).anchors == ("vault",)


def test_a_checkpoint_behind_a_delete_marker_is_found(site: Site, s3: Any) -> None:
    """Who can delete hides the newest checkpoint before setting the node back."""
    place = anchor(site, s3, prefix="hidden/")
    site.anchor("vault", place)
    site.act(2)
    site.anchoring.submit()
    site.act(2)
    site.anchoring.submit()
    newest = site.kept()
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="hidden/")["Contents"]]
    s3.delete_object(Bucket=BUCKET, Key=max(keys))
    for known in (0, 2, 4):
        assert place.latest(known) == newest


def test_what_is_written_over_a_checkpoint_does_not_replace_it(site: Site, s3: Any) -> None:
    place = anchor(site, s3, prefix="over/")
    site.anchor("vault", place)
    site.act(2)
    site.anchoring.submit()
    (found,) = s3.list_objects_v2(Bucket=BUCKET, Prefix="over/")["Contents"]
    s3.put_object(Bucket=BUCKET, Key=found["Key"], Body=b"something else")
    assert place.latest(2) == site.kept()


def test_a_bucket_that_is_empty_has_none(site: Site, s3: Any) -> None:
    assert anchor(site, s3, prefix="empty/").latest(0) is None


@pytest.mark.parametrize("bucket", ["without-lock", "missing-bucket"])
def test_a_bucket_that_is_no_anchor_takes_no_checkpoint(site: Site, s3: Any, bucket: str) -> None:
    """Without a lock it would only look like one."""
    site.act()
    with pytest.raises(UnavailableError, match="does not take checkpoints"):
        anchor(site, s3, bucket).submit(site.kept())


def test_a_service_that_is_not_there_takes_no_checkpoint(site: Site, s3: Any) -> None:
    place = S3Anchor(
        BUCKET,
        prefix="",
        endpoint="http://127.0.0.1:9",
        region="us-east-1",
        mode="GOVERNANCE",
        retain=timedelta(days=1),
        now=site.clock.now,
    )
    with pytest.raises(UnavailableError, match="does not take checkpoints"):
        place.latest(0)
