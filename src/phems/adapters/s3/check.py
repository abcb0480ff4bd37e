"""Whether the buckets that node.yaml names are there for the node's user: for `phems check`."""

from __future__ import annotations

from phems.adapters.s3.bucket import Bucket
from phems.adapters.s3.connection import client_of
from phems.errors import PhemsError
from phems.nodespec.paths import NodePaths
from phems.nodespec.storage import S3


def bucket_fault(s3: S3, name: str, paths: NodePaths) -> tuple[str, str, str] | None:
    """What is wrong with a bucket, why, and the remedy; asks the service once."""
    try:
        Bucket(client_of(s3, paths), name, seconds=0).check()
    except PhemsError as error:
        return f"the bucket {name} cannot be used", error.why.rstrip("."), error.remedy
    return None
