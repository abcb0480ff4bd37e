"""An OpenTelemetry collector for tests: takes OTLP over HTTP on this machine, and reads what it was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.receivers import Hooks, webhook_receiver


@dataclass(frozen=True)
class ToldSpan:
    """One span, as the collector got it; ids in hexadecimal digits."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    began: int
    ended: int
    is_error: bool
    status_text: str
    attributes: Mapping[str, object]
    resource: Mapping[str, object]
    events: int


@dataclass
class Collector:
    """What came."""

    hooks: Hooks

    @property
    def port(self) -> int:
        return self.hooks.port

    @property
    def address(self) -> str:
        """What node.yaml says of it."""
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def bodies(self) -> list[bytes]:
        """Each request as it came."""
        return [body for _, body in self.hooks.taken]

    def spans(self) -> list[ToldSpan]:
        """All spans so far."""
        return [
            ToldSpan(
                name=span.name,
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                kind=span.kind,
                began=span.start_time_unix_nano,
                ended=span.end_time_unix_nano,
                is_error=span.status.code == 2,
                status_text=span.status.message,
                attributes=_values(span.attributes),
                resource=_values(of_process.resource.attributes),
                events=len(span.events) + len(span.links),
            )
            for body in self.bodies()
            for of_process in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in of_process.scope_spans
            for span in scope.spans
        ]

    def of_run(self, run_id: str) -> dict[str, ToldSpan]:
        """A run's spans: by name, and of attempts by step and number, too."""
        found: dict[str, ToldSpan] = {}
        for span in self.spans():
            told = span.attributes
            if told.get("phems.run.id") == run_id:
                step = [str(told[key]) for key in ("phems.step", "phems.step.attempt") if key in told]
                found[" ".join([span.name, *step])] = span
        return found


@contextmanager
def trace_collector() -> Iterator[Collector]:
    """A collector for the time of the block."""
    with webhook_receiver(0) as hooks:
        yield Collector(hooks)


def _values(attributes: object) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}  # type: ignore[attr-defined]
