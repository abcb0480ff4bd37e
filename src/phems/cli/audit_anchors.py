"""`phems audit anchor|anchors`: the places out of the node's reach that keep the audit log's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from phems.cli import output
from phems.cli.node import opened
from phems.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from phems.cli.ports import AnchorPort, NodePort

_COLUMNS = ["name", "kind", "size", "behind", "since", "on_failure", "failure"]
_NONE = "No outside anchors: write some under audit.anchors in node.yaml."


def register(app: typer.Typer) -> None:
    """Add the verbs to the noun."""
    app.command("anchor")(anchor)
    app.command("anchors")(anchors)


def anchor() -> None:
    """Hand the last checkpoint to every outside anchor now. A running node does so by itself."""
    with opened("audit.read") as (node, _):
        states = _anchoring(node).submit()
    output.show_rows(states, _COLUMNS, empty=_NONE)
    failed = [state for state in states if state.failure]
    if failed:
        raise UnavailableError(
            f"{len(failed)} of {len(states)} anchors did not take the checkpoint.",
            why="; ".join(f"{state.name}: {state.failure}" for state in failed),
            remedy="See what each says, then: phems audit anchor",
        )


def anchors() -> None:
    """List the outside anchors, and how far behind each is."""
    with opened("audit.read") as (node, _):
        states = [] if node.anchoring is None else node.anchoring.states()
    output.show_rows(states, _COLUMNS, empty=_NONE)


def _anchoring(node: NodePort) -> AnchorPort:
    if node.anchoring is None:
        raise InputError(
            "This node has no outside anchors.",
            why="audit.anchors in node.yaml is empty.",
            remedy="Write one there: docs/how-to/read-the-audit-log.md",
        )
    return node.anchoring
