"""The outside anchors of the audit log, as node.yaml names them."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial

from phems.adapters.checkpoint_file import CheckpointFile
from phems.nodespec import NodePaths, NodeSpec
from phems.nodespec.audit import Anchor as Described
from phems.nodespec.variables import value_of
from phems.services.audit_anchors import AnchorRule, Anchors
from phems.services.ports.audit import Anchor
from phems.services.ports.clock import Clock


def anchors_of(spec: NodeSpec, paths: NodePaths, clock: Clock) -> Anchors:
    """The anchors, each with what is asked of it."""
    return Anchors(
        [
            AnchorRule(
                name=name,
                kind=described.kind,
                place=_place(described, paths, clock),
                handed=CheckpointFile(paths.anchored(name), keep_history=False),
                refuses=described.on_failure == "refuse",
                within=timedelta(minutes=described.minutes),
                every=timedelta(seconds=described.every_seconds),
            )
            for name, described in spec.audit.anchors.items()
        ]
    )


def _place(described: Described, paths: NodePaths, clock: Clock) -> Anchor:
    if described.folder is not None:
        from phems.adapters.anchors.folder import FolderAnchor

        return FolderAnchor(paths.resolve(described.folder.path))
    if described.webhook is not None:
        from phems.adapters.anchors.webhook import WebhookAnchor

        read = partial(value_of, described.webhook.token, os.environ, key="audit.anchors[].webhook.token")
        return WebhookAnchor(described.webhook.url, read)
    from phems.adapters.anchors.s3 import S3Anchor

    bucket = described.s3
    assert bucket is not None  # noqa: S101 (the node spec says: one of three)
    return S3Anchor(
        bucket.bucket,
        prefix=bucket.prefix,
        endpoint=bucket.endpoint,
        region=bucket.region,
        mode="COMPLIANCE" if bucket.lock == "compliance" else "GOVERNANCE",
        retain=timedelta(days=bucket.retain_days),
        now=clock.now,
    )
