"""Spans for an OpenTelemetry collector, by OTLP over HTTP."""

from __future__ import annotations

import logging
import threading
import time

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from phems import __version__
from phems.adapters.node_log import node_log
from phems.domain.redaction import Redaction
from phems.domain.traces import SPAN_KINDS, Place, Span

_LOG = logging.getLogger("phems.traces")
SPANS_KEPT = 4096
"""While the collector is away; older ones are dropped for newer."""
PAUSE_MILLISECONDS = 1000
TIMEOUT_SECONDS = 3.0
TOLD_AGAIN_SECONDS = 60.0
NOTHING = Context()


class OtlpTraces:
    """See `engine.traces.Traces`. `address` is the whole one, `/v1/traces` and all. `close` once."""

    def __init__(self, address: str, *, node: str, role: str) -> None:
        self._redaction = log.redaction if (log := node_log()) is not None else Redaction()
        self._ids = GivenIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            # Said in full: OpenTelemetry would add what the environment says.
            resource=Resource(
                {
                    "service.name": "phems",
                    "service.namespace": node,
                    "service.version": __version__,
                    "phems.role": role,
                }
            ),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint=address, timeout=TIMEOUT_SECONDS, session=_session()),
                max_queue_size=SPANS_KEPT,
                schedule_delay_millis=PAUSE_MILLISECONDS,
            )
        )
        logging.getLogger(OTLPSpanExporter.__module__).addFilter(Seldom())
        self._tracer = self._provider.get_tracer("phems", __version__)

    def ended(self, span: Span) -> None:
        """See `Traces`."""
        try:
            self._tell(span)
        except Exception:  # noqa: BLE001 (nothing that the node does fails for a trace)
            _LOG.warning("a span could not be told", exc_info=True)

    def close(self) -> None:
        """Send what is left, if the collector takes it: nobody's stop waits long for that."""
        closing = threading.Thread(target=self._provider.shutdown, name="phems-traces-end", daemon=True)
        closing.start()
        closing.join(TIMEOUT_SECONDS)

    def _tell(self, span: Span) -> None:
        self._ids.give(span.place)
        made = self._tracer.start_span(
            span.name,
            context=NOTHING if span.parent is None else _below(span.parent),
            kind=trace.SpanKind[SPAN_KINDS[span.kind].role.upper()],
            attributes={
                name: self._redaction(value) if isinstance(value, str) else value
                for name, value in span.attributes.items()
            },
            start_time=span.began,
        )
        if span.is_error:
            made.set_status(trace.StatusCode.ERROR)
        made.end(span.ended)


class GivenIds(IdGenerator):
    """The ids of the next span of this thread, as `domain.traces` works them out."""

    def __init__(self) -> None:
        self._next = threading.local()

    def give(self, place: Place) -> None:
        """The next span has this place."""
        self._next.place = place

    def generate_span_id(self) -> int:
        """See IdGenerator."""
        place: Place = self._next.place
        return place.span_id

    def generate_trace_id(self) -> int:
        """See IdGenerator; asked for at the top of a trace alone."""
        place: Place = self._next.place
        return place.trace_id


class Seldom(logging.Filter):
    """A collector that is away is told of once a minute, and not at each batch."""

    def __init__(self) -> None:
        super().__init__()
        self._again_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 (logging's)
        """Whether it is time."""
        now = time.monotonic()
        if now < self._again_at:
            return False
        self._again_at = now + TOLD_AGAIN_SECONDS
        return True


def _session() -> requests.Session:
    """The collector is the node's own: no proxy stands before it, and it sends nobody elsewhere."""
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    return session


def _below(parent: Place) -> Context:
    place = trace.SpanContext(
        parent.trace_id,
        parent.span_id,
        is_remote=True,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(place), NOTHING)
