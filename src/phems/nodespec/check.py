"""Checks the text of a node spec and finds everything that is wrong with it at once.

Three stages, each going on after the one before found something: YAML (`document`), shape and types
(the models), rules over several parts (`rules`). For the last stage the values that the others
refused are taken out; a finding that rests on one of them is dropped, since it would be a guess.
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from phems.nodespec.document import Document, Loc, read_document
from phems.nodespec.explain import explain, plain_loc
from phems.nodespec.models import NodeSpec
from phems.nodespec.problems import Problem, SpecError
from phems.nodespec.rules import broken_rules

# Stand in for what is required and missing or broken, so that the rules can look at the rest.
_PLACEHOLDERS: dict[str, Any] = {"version": 1, "node": {"name": "unnamed"}, "controller": {"name": "unnamed"}}
# Each round takes out one level of nesting around a broken value; the models are less deep than this.
_MOST_ROUNDS = 12


def check_text(text: str, *, file: str = "node.yaml") -> list[Problem]:
    """Every problem in the order of the file; empty when the spec is fit for use."""
    return inspect_text(text, file=file)[1].problems


def parse_node(text: str, *, file: str = "node.yaml") -> NodeSpec:
    """The node spec in `text`; SpecError with every problem."""
    spec, document = inspect_text(text, file=file)
    if document.problems or spec is None:
        raise SpecError(document.problems)
    return spec


def inspect_text(text: str, *, file: str = "node.yaml") -> tuple[NodeSpec | None, Document]:
    """The spec as far as it can be read, for further checks, and the document with its problems.

    Only when `problems` is empty is the spec what is written; otherwise `Document.is_doubtful` says
    of a location whether its value may be a stand-in. `None` when nothing can be read.
    """
    document = read_document(text, file=file)
    if document.data is None and document.problems:
        return None, document
    if not isinstance(document.data, dict):
        document.report((), "is not a mapping", "a node spec has keys such as node:", "phems init writes one")
        return None, document
    spec = _read_models(document)
    for finding in broken_rules(spec) if spec is not None else ():
        if not document.is_doubtful(finding.loc, *finding.reads):
            document.report(finding.loc, finding.what, finding.why, finding.remedy)
    document.problems.sort(key=lambda problem: (problem.line, problem.key, problem.what))
    return spec, document


def _read_models(document: Document) -> NodeSpec | None:
    """The spec without its broken values; reports each, and leaves it out."""
    data = copy.deepcopy(document.data)
    for round_number in range(_MOST_ROUNDS):
        try:
            return NodeSpec.model_validate(data)
        except ValidationError as failure:
            # What goes missing because something in it was left out is told already.
            told = Document(document.file, left_out=list(document.left_out))
            for error in failure.errors(include_url=False):
                loc = plain_loc(error)
                if round_number == 0 and not told.is_doubtful(loc):
                    document.report(loc, *explain(error))
                gone = loc[:-1] if error["type"] == "missing" and len(loc) > 1 else loc
                document.left_out.append(_take_out(data, gone))
    return None  # pragma: no cover (a backstop: rounds exceed the depth of the models)


def _take_out(data: Any, loc: Loc) -> Loc:
    """Remove the value at `loc`; a list goes as a whole, so that its numbers never shift."""
    *above, last = loc
    place = data
    for depth, part in enumerate(above):
        if isinstance(part, int) or not isinstance(place, dict):
            return _take_out(data, loc[:depth])
        place = place.get(part)
    if isinstance(last, int) or not isinstance(place, dict):
        return _take_out(data, loc[:-1])
    if not above and last in _PLACEHOLDERS:
        place[last] = copy.deepcopy(_PLACEHOLDERS[last])
    else:
        place.pop(last, None)
    return loc
