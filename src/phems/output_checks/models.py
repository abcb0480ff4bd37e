"""The check of model files: plain numbers only, and fewer of them than could hold the training data.

safetensors, ONNX and JSON can be loaded without running anything. A model with as many parameters as
training rows may remember each of them (the SACRO-ML guidance calls for a person to look at far fewer).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.domain.outputs import extension_of
from phems.output_checks.plugin import CheckContext, finding

# Operators of the ONNX standard itself; any other domain is code that somebody installs.
_STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_LARGEST_JSON = 64 << 20


@dataclass(frozen=True)
class ModelFacts:
    """What a model file holds: numbers, and what it should not hold, as a sentence."""

    parameters: int
    trouble: str = ""
    beside: tuple[str, ...] = ()
    """Names of texts that ride along."""


class Models:
    """Model files are inert, and small against what they were trained on."""

    name = "model"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        """See `FileCheck`."""
        model = (file.declaration or {}).get("model") or {}
        read = _READERS.get(extension_of(file.path))
        if read is None or (read is _json_numbers and not model):
            return []
        facts = read(file.place)
        verdict, words = _judged(facts, model, context)
        return [finding(self, file.path, verdict, words, numbers=facts.parameters, declared=dict(model))]


def _judged(facts: ModelFacts, model: Mapping[str, Any], context: CheckContext) -> tuple[Verdict, str]:
    if facts.trouble:
        return Verdict.FAIL, facts.trouble
    rows = model.get("observations")
    if rows is None:
        return Verdict.REVIEW, "nobody declared how many rows the model was trained on (model.observations)"
    if facts.parameters > rows:
        return Verdict.FAIL, "the file holds more numbers than there were training rows"
    if facts.parameters * context.thresholds["rows_per_parameter"] > rows:
        return Verdict.REVIEW, "few training rows for each number in the file"
    if facts.beside:
        return Verdict.REVIEW, f"texts ride along in the file: {', '.join(facts.beside)}"
    return Verdict.PASS, "few numbers against the training rows"


def _safetensors(place: Path) -> ModelFacts:
    import math

    from safetensors import safe_open

    with safe_open(place, framework="np") as model:
        shapes = [model.get_slice(name).get_shape() for name in model.keys()]  # noqa: SIM118 - no dict
        beside = tuple(sorted(model.metadata() or {}))
    return ModelFacts(sum(math.prod(shape) for shape in shapes), beside=beside)


def _onnx(place: Path) -> ModelFacts:
    import math

    import onnx

    model = onnx.load(str(place), format="protobuf", load_external_data=False)
    tensors = list(_tensors(model.graph))
    domains = {item.domain for item in model.opset_import} | {item.domain for item in _nodes(model.graph)}
    foreign = sorted(domains - _STANDARD_DOMAINS)
    trouble = ""
    if not model.graph.node:
        trouble = "it is no ONNX model"
    elif foreign or model.functions:
        trouble = f"it needs operators of its own ({', '.join(foreign) or 'functions'})"
    elif any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        trouble = "its numbers lie in other files"
    beside = {*(item.key for item in model.metadata_props), *(["doc_string"] if model.doc_string else [])}
    return ModelFacts(sum(math.prod(tensor.dims) for tensor in tensors), trouble, tuple(sorted(beside)))


def _nodes(graph: Any) -> Iterable[Any]:
    """All operators, those of inner graphs (loops, branches) included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(graph: Any) -> Iterable[Any]:
    """All constants: initialisers, and those that operators carry."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
    for node in _nodes(graph):
        for attribute in node.attribute:
            yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from inner.initializer
            if attribute.floats or attribute.ints:
                yield _Numbers((max(len(attribute.floats), len(attribute.ints)),))


@dataclass(frozen=True)
class _Numbers:
    """A list of numbers, as trees keep theirs, seen as a tensor."""

    dims: tuple[int, ...]
    data_location: int = 0


def _json_numbers(place: Path) -> ModelFacts:
    if place.stat().st_size > _LARGEST_JSON:
        return ModelFacts(0, "it is too large to be read")
    return ModelFacts(_count(json.loads(place.read_bytes())))


def _count(value: Any) -> int:
    """How many numbers there are in a JSON value, those that are spelt as texts included."""
    waiting, numbers = [value], 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            numbers += any(map(str.isdigit, item))
        else:
            numbers += item is not None
    return numbers


_READERS: Mapping[str, Callable[[Path], ModelFacts]] = {
    "json": _json_numbers,
    "onnx": _onnx,
    "safetensors": _safetensors,
}

CHECK = Models()
