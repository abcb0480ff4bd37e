"""The numbers of one worker process, for Prometheus."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator

from phems import __version__
from phems.adapters.prometheus import MetricsListener
from phems.domain.metrics import Reading, pairs
from phems.engine.hosts import HostState
from phems.engine.pod_plane import PodPlane
from phems.engine.worker_plane import WorkerPlane
from phems.nodespec import NodeSpec
from phems.nodespec.workers import metrics_ports

_LOG = logging.getLogger("phems.metrics")


def worker_listener(spec: NodeSpec, plane: WorkerPlane | PodPlane) -> MetricsListener | None:
    """Where this worker tells its numbers; None where node.yaml has no such place, or each port is taken.

    Steps are not kept waiting for want of a port: that is a warning, and Prometheus misses the worker.
    """
    told = spec.workers.metrics
    if told is None:
        return None
    token = spec.gateway.metrics.secret(os.environ)
    try:
        return MetricsListener(told.host, metrics_ports(spec), token, lambda: readings(plane))
    except OSError as error:
        _LOG.warning("this worker tells no metrics: %s, ports %s: %s", told.host, metrics_ports(spec), error)
        return None


def readings(plane: WorkerPlane | PodPlane) -> Iterator[Reading]:
    """The numbers of now."""
    yield Reading("build_info", [({"version": __version__}, 1)])
    yield from plane.counted.read()
    if isinstance(plane, WorkerPlane):
        states = Counter(host.state for host in plane.hosts.status())
        yield Reading("hosts", [({"state": state.value}, states[state]) for state in HostState])
    yield Reading("storage_calls", pairs(plane.storage_service.calls(), "method", "result"))
