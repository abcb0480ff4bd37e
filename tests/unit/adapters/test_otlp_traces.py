"""What is told to a collector that is not there, or of which nothing is installed."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from phems.adapters.telemetry import traces_of
from phems.adapters.telemetry.otlp import OtlpTraces, Seldom
from phems.domain.traces import Place, Span
from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.nodespec.telemetry import Telemetry

SPAN = Span("run", Place(1, 2), None, 1, 2, {"phems.run.id": "r", "phems.result": "Bearer 0123456789abcdef"})
SPEC = NodeSpec.model_validate({"version": 1, "node": {"name": "n"}, "controller": {"name": "c"}})
WITH_COLLECTOR = SPEC.model_copy(update={"telemetry": Telemetry(otlp="http://127.0.0.1:9/v1/traces")})


def test_a_collector_that_is_away_is_nobody_s_trouble() -> None:
    """Otherwise a node fails, or does not stop, for what only somebody looking for slow runs misses."""
    traces = OtlpTraces("http://127.0.0.1:9/v1/traces", node="n", role="control")
    traces.ended(SPAN)
    traces.close()
    traces.ended(SPAN)  # too late, and no error


def test_a_collector_that_is_away_does_not_fill_the_log() -> None:
    line = logging.makeLogRecord({"msg": "Transient error"})
    seldom = Seldom()
    assert [seldom.filter(line) for _ in range(3)] == [True, False, False]


def test_without_a_collector_nothing_is_imported() -> None:
    """Who has no collector has no OpenTelemetry in their node, nor its start in theirs."""
    assert traces_of(SPEC, "control") is None
    said = (
        "import sys, phems.serve.node, phems.gateway.traced\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phems.adapters.telemetry.otlp", None)
    with pytest.raises(InputError, match="OpenTelemetry") as told:
        traces_of(WITH_COLLECTOR, "control")
    assert "node,otel" in str(told.value.remedy)
