"""What a rule of the node spec finds."""

from __future__ import annotations

from dataclasses import dataclass

from phems.nodespec.document import Loc


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a spec breaks."""

    loc: Loc
    what: str
    why: str
    remedy: str
    reads: tuple[Loc, ...] = ()
