"""What the node tells an OpenTelemetry collector. A node without one imports nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phems.errors import InputError
from phems.nodespec import NodeSpec

if TYPE_CHECKING:
    from phems.adapters.telemetry.otlp import OtlpTraces


def traces_of(spec: NodeSpec, role: str) -> OtlpTraces | None:
    """Where this process tells its spans; None where node.yaml names no collector."""
    if spec.telemetry.otlp is None:
        return None
    try:
        from phems.adapters.telemetry.otlp import OtlpTraces
    except ImportError as error:
        raise InputError(
            "telemetry.otlp needs OpenTelemetry, which is not installed.",
            why=str(error),
            remedy="pip install 'phems-node[node,otel]'",
        ) from error
    return OtlpTraces(spec.telemetry.otlp, node=spec.node.name, role=role)
