"""The spans of a run's trace: what each is called, what it may tell, and how their ids are worked out.

A trace begins with the request that launches a run, or with the run. Only the request's place in it is
carried, as a W3C traceparent in a tag of the run; all other ids are worked out from the names of run, step
and attempt. So processes that never meet, and one that takes up the run of another, tell spans of one tree.

No span holds a text of a person, of project code's making or of data: attributes are those of the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
Value = str | int | float


@dataclass(frozen=True, slots=True)
class SpanKind:
    """One kind of span, and the attributes that it may have."""

    name: str
    role: str
    """In OpenTelemetry's words: server, internal, producer or consumer."""
    about: str
    attributes: tuple[str, ...]


_OF_AN_ATTEMPT = ("phems.project", "phems.run.id", "phems.step", "phems.step.attempt")
_TABLE = (
    SpanKind(
        "request",
        "server",
        "One request, by the gateway. What only reads a file of the pages, or probes the node, has none.",
        ("http.request.method", "http.route", "http.response.status_code", "phems.request.id"),
    ),
    SpanKind(
        "run",
        "internal",
        "A run from the moment that it was asked for to its end, by the process that drove it.",
        ("phems.project", "phems.run.id", "phems.result", "phems.run.queued_seconds"),
    ),
    SpanKind(
        "step attempt",
        "producer",
        "An attempt at a step, by who drives the run: from its order to its end in the run's log.",
        (*_OF_AN_ATTEMPT, "phems.result"),
    ),
    SpanKind(
        "step in worker",
        "consumer",
        "The attempt in its worker: until its host is ready, and to its end.",
        _OF_AN_ATTEMPT,
    ),
    SpanKind(
        "step process",
        "internal",
        "Its process or pod, from the order to its end, as the worker saw it. What is `told` is the word of "
        "the host, which runs project code.",
        (*_OF_AN_ATTEMPT, "phems.told.exit_status", "phems.told.cpu_seconds", "phems.told.max_rss_kib"),
    ),
)
SPAN_KINDS: Mapping[str, SpanKind] = {kind.name: kind for kind in _TABLE}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span stands: its trace and its own id, both larger than nought."""

    trace_id: int
    span_id: int

    @property
    def traceparent(self) -> str:
        """As W3C's Trace Context has it in a header."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended. Times are nanoseconds since 1970; `parent` is None at the top of a trace."""

    kind: str
    place: Place
    parent: Place | None
    began: int
    ended: int
    attributes: Mapping[str, Value]
    is_error: bool = False

    @property
    def name(self) -> str:
        """What a trace's reader sees first: its kind and, of a request, its method and route."""
        told = self.attributes
        return f"{told['http.request.method']} {told['http.route']}" if self.kind == "request" else self.kind

    def __post_init__(self) -> None:
        foreign = self.attributes.keys() - set(SPAN_KINDS[self.kind].attributes)
        if foreign:
            raise ValueError(f"A span of the kind {self.kind} has no {', '.join(sorted(foreign))}.")


def place_of(traceparent: str) -> Place | None:
    """What a traceparent names; None when it is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    place = Place(int(found[1], 16), int(found[2], 16)) if found else None
    return place if place is not None and place.trace_id and place.span_id else None


@dataclass(frozen=True, slots=True)
class RunTrace:
    """The places of a run's spans; `parent` is the request that launched it, if one did."""

    run_id: str
    parent: Place | None = None

    @classmethod
    def of(cls, run_id: str, traceparent: str | None) -> RunTrace:
        """By the run's own tag."""
        return cls(run_id, place_of(traceparent or ""))

    @property
    def run(self) -> Place:
        """The run's place. A run that no request asked for has the trace that its own id names."""
        trace_id = self.parent.trace_id if self.parent is not None else UUID(self.run_id).int
        return Place(trace_id, _span_id("run", self.run_id))

    def of_step(self, kind: str, step_key: str, attempt: int) -> Place:
        """A span of this kind of an attempt at a step."""
        return Place(self.run.trace_id, _span_id(kind, self.run_id, step_key, str(attempt)))


def _span_id(*names: str) -> int:
    digest = sha256("\0".join(names).encode()).digest()
    return int.from_bytes(digest[:8]) or 1
