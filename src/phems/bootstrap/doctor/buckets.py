"""Checks on the S3-compatible service: each bucket is there for the node's user, and its clock is ours."""

from __future__ import annotations

from collections.abc import Iterator

from phems.adapters.s3.bucket import Bucket
from phems.adapters.s3.connection import client_of
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok
from phems.errors import PhemsError


def look_at_buckets(patient: Patient) -> Iterator[Seen]:
    """The node may use each bucket. Requests carry the time: clocks that differ are seen."""
    s3 = patient.spec.storage.s3
    assert s3 is not None  # noqa: S101 (the table says when this check applies)
    client = client_of(s3, patient.paths)
    for name in filter(None, (s3.bucket, s3.release_bucket)):
        try:
            Bucket(client, name, seconds=0).check()
        except PhemsError as error:
            yield failed(f"{error.what} {error.why}", error.remedy, about=name)
        else:
            yield ok(f"{s3.endpoint or 'AWS'} lets the node use it", about=name)
