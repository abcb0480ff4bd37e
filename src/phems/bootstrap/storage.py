"""Where a node's files lie, as node.yaml says: in folders of this machine, or in buckets."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from phems.adapters.files.artifact_areas import FolderArtifactAreas
from phems.adapters.files.frozen_files import FolderFrozenFiles
from phems.adapters.files.release_zone import FolderReleaseZone
from phems.domain.backups import BucketObject
from phems.nodespec import NodePaths, NodeSpec
from phems.services.ports.artifacts import ArtifactAreas, FrozenFiles, ReleaseZone
from phems.services.ports.clock import Clock

if TYPE_CHECKING:
    from phems.adapters.s3.artifact_areas import S3ArtifactAreas
    from phems.adapters.s3.bucket import Bucket
    from phems.adapters.s3.mlflow_files import S3MlflowFiles
    from phems.adapters.s3.run_objects import RunObjects


class NodeFiles:
    """The files of one node, each kind opened when it is first asked for."""

    def __init__(self, spec: NodeSpec, paths: NodePaths, clock: Clock) -> None:
        self._spec = spec
        self._paths = paths
        self._clock = clock

    @cached_property
    def artifacts(self) -> ArtifactAreas:
        """What steps wrote."""
        return self.shared or self._folders

    @cached_property
    def shared(self) -> S3ArtifactAreas | None:
        """What steps wrote, where machines share it by a bucket; None where it lies in a folder alone."""
        s3 = self._spec.storage.s3
        if s3 is None:
            return None
        from phems.adapters.s3.artifact_areas import S3ArtifactAreas

        return S3ArtifactAreas(
            self._bucket(s3.bucket),
            self._folders,
            self._paths.fetched,
            lambda project: int(self._spec.project(project).resources.file_size),
        )

    def mlflow(self, project: str) -> S3MlflowFiles | None:
        """The files of its MLflow, where machines share them by a bucket; None where they lie in a folder."""
        s3 = self._spec.storage.s3
        if s3 is None:
            return None
        from phems.adapters.s3.mlflow_files import S3MlflowFiles

        return S3MlflowFiles(self._bucket(s3.bucket), project)

    @cached_property
    def frozen(self) -> FrozenFiles:
        """What is reviewed: in a folder always, for the checks look at it there."""
        return FolderFrozenFiles(self._paths.data_dir / "releases")

    @cached_property
    def code(self) -> ArtifactAreas:
        """The Code Mount, to read from."""
        return FolderArtifactAreas(self._paths.data_dir / "code")

    @cached_property
    def release_zone(self) -> ReleaseZone:
        """What was released."""
        s3 = self._spec.storage.s3
        if s3 is None or s3.release_bucket is None:
            return FolderReleaseZone(self._paths.release_zone)
        from phems.adapters.s3.release_zone import S3ReleaseZone

        bucket = self._bucket(s3.release_bucket, days=s3.object_lock_days)
        return S3ReleaseZone(bucket, FolderReleaseZone(self._paths.outgoing))

    def buckets(self) -> dict[str, list[BucketObject]]:
        """What lies in buckets, by bucket: named in a backup, and not copied."""
        s3 = self._spec.storage.s3
        names = [] if s3 is None else [name for name in (s3.bucket, s3.release_bucket) if name is not None]
        return {name: list(self._bucket(name).objects()) for name in names}

    @property
    def run_objects(self) -> RunObjects | None:
        """What runs left in the bucket, where purges take it; None where it is left to the bucket's rules."""
        s3 = self._spec.storage.s3
        if s3 is None or not s3.purge:
            return None
        from phems.adapters.s3.run_objects import RunObjects

        return RunObjects(self._bucket(s3.bucket))

    @property
    def _folders(self) -> FolderArtifactAreas:
        return FolderArtifactAreas(self._paths.data_dir / "artifacts")

    def _bucket(self, name: str, *, days: int | None = None) -> Bucket:
        from phems.adapters.s3.bucket import Bucket

        def lock() -> dict[str, Any]:
            if days is None:
                return {}
            # Governance, not compliance: what was released by mistake must be possible to take down, by law.
            until = self._clock.now() + timedelta(days=days)
            return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}

        s3 = self._spec.storage.s3
        assert s3 is not None  # noqa: S101 (who asks has looked)
        return Bucket(self._client, name, seconds=s3.retry_seconds, lock=lock)

    @cached_property
    def _client(self) -> Any:
        from phems.adapters.s3.connection import client_of

        s3 = self._spec.storage.s3
        assert s3 is not None  # noqa: S101 (who asks has looked)
        return client_of(s3, self._paths)
