"""Run tags that the node owns: it stamps them, and takes them from nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PROJECT_TAG = "phems/project"
REQUESTER_TAG = "phems/requester"
CODE_TAG = "phems/code_revision"
CAPSULE_TAG = "phems/capsule"
APPROVAL_TAG = "phems/approval"
SANDBOX_TAG = "phems/sandbox"
TRACE_TAG = "phems/traceparent"
MLFLOW_TAG = "phems/mlflow"

RESERVED_PREFIXES = ("phems/", "dagster-k8s/")


def reserved(tags: Mapping[str, str] | Iterable[str]) -> list[str]:
    """The names among `tags` that only the node may set, sorted."""
    return sorted(name for name in tags if name.startswith(RESERVED_PREFIXES))
