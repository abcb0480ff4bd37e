"""One thing that is wrong with a node spec, and the error that carries all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phems.errors import InputError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Printed as `file:line: key: what, why, remedy`."""

    file: str
    line: int
    key: str
    """Dotted, such as `projects.heart-attack.data_grants[0].source`; empty for the file as a whole."""
    what: str
    why: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:" + (f" {self.key}:" if self.key else "")
        return f"{place} {', '.join(part for part in (self.what, self.why, self.remedy) if part)}"


class SpecError(InputError):
    """A node spec that cannot be used; `problems` holds all that is wrong, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"{problems[0].file} has {count}:\n" + "\n".join(str(problem) for problem in problems),
            why="The node starts only from a node spec without problems.",
            remedy="Edit the lines named above, then: phems check",
        )
        self.problems = tuple(problems)


def dotted(loc: Sequence[str | int]) -> str:
    """`("projects", "x", "data_grants", 0)` as `projects.x.data_grants[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
