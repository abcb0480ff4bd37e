"""What changed between two texts, line by line, in bounded time whatever the texts are.

The greedy algorithm of Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), after the common
beginning and end are taken off. The texts come from project code, and texts can be made on which any exact
algorithm takes for ever: past the budget the middle counts as written anew, which is true, if not minimal.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

BUDGET = 1_000_000
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines `old[old_from:old_to]` became `new[new_from:new_to]`; counted from 0, one may be empty."""

    old_from: int
    old_to: int
    new_from: int
    new_to: int


def lines_of(text: str) -> list[str]:
    r"""The lines with their ends. Only "\n" ends one: no other character may hide a line."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def line_edits(old: Sequence[str], new: Sequence[str], *, budget: int = BUDGET) -> list[Edit]:
    """The edits that lead from `old` to `new`, in order, with lines that stayed between them."""
    start = _common(old, new, 0)
    end = _common(old[::-1], new[::-1], start)
    numbers: dict[str, int] = {}
    middle = [
        [numbers.setdefault(line, len(numbers)) for line in lines[start : len(lines) - end]]
        for lines in (old, new)
    ]
    kept = _kept(*middle, budget=budget)
    edits, at_old, at_new = [], 0, 0
    for x, y in [*kept, (len(middle[0]), len(middle[1]))]:
        if (x, y) != (at_old, at_new):
            edits.append(Edit(start + at_old, start + x, start + at_new, start + y))
        at_old, at_new = x + 1, y + 1
    return edits


def unified(path: str, old: Sequence[str], new: Sequence[str], edits: Sequence[Edit]) -> Iterator[str]:
    """The edits in the unified format (POSIX diff -u), a line at a time without line ends."""
    yield f"--- a/{path}"
    yield f"+++ b/{path}"
    for group in _groups(edits):
        top = max(0, min(group[0].old_from, group[0].new_from, CONTEXT))
        old_at, new_at = group[0].old_from - top, group[0].new_from - top
        bottom = min(CONTEXT, len(old) - group[-1].old_to)
        old_end, new_end = group[-1].old_to + bottom, group[-1].new_to + bottom
        yield f"@@ -{_range(old_at, old_end)} +{_range(new_at, new_end)} @@"
        for edit in group:
            yield from _marked(" ", old[old_at : edit.old_from])
            yield from _marked("-", old[edit.old_from : edit.old_to])
            yield from _marked("+", new[edit.new_from : edit.new_to])
            old_at = edit.old_to
        yield from _marked(" ", old[old_at:old_end])


def _common(old: Sequence[str], new: Sequence[str], taken: int) -> int:
    """How many lines are the same from the beginning, of those not taken by the common other end."""
    most = min(len(old), len(new)) - taken
    return next((index for index in range(most) if old[index] != new[index]), max(0, most))


def _kept(old: Sequence[int], new: Sequence[int], *, budget: int) -> list[tuple[int, int]]:
    """The lines that stayed, as pairs of places in order; none when that costs more than the budget."""
    # d edits cost at least (d + 1)(d + 2) / 2 steps: the budget is spent before d is larger than this.
    middle = min(len(old) + len(new), isqrt(2 * budget)) + 1
    furthest = [0] * (2 * middle + 1)
    trace: list[array[int]] = []
    d = steps = 0
    while steps <= budget:
        trace.append(array("q", furthest[middle - d - 1 : middle + d + 2]))
        for k in range(-d, d + 1, 2):
            down = k == -d or (k != d and furthest[middle + k - 1] < furthest[middle + k + 1])
            x = furthest[middle + k + 1] if down else furthest[middle + k - 1] + 1
            y = x - k
            while x < len(old) and y < len(new) and old[x] == new[y]:
                x, y, steps = x + 1, y + 1, steps + 1
            furthest[middle + k] = x
            if x >= len(old) and y >= len(new):
                return _traced(trace, len(old), len(new))
        d, steps = d + 1, steps + d + 1
    return []


def _traced(trace: Sequence[array[int]], x: int, y: int) -> list[tuple[int, int]]:
    """Back from the end, edit by edit: what lies on a diagonal has stayed."""
    kept: list[tuple[int, int]] = []
    for d in range(len(trace) - 1, -1, -1):
        reached, middle, k = trace[d], d + 1, x - y
        down = k == -d or (k != d and reached[middle + k - 1] < reached[middle + k + 1])
        k_before = k + 1 if down else k - 1
        x_before = reached[middle + k_before] if d else 0
        y_before = x_before - k_before if d else 0
        while x > x_before and y > y_before:
            x, y = x - 1, y - 1
            kept.append((x, y))
        x, y = x_before, y_before
    return kept[::-1]


def _groups(edits: Sequence[Edit]) -> Iterator[list[Edit]]:
    group: list[Edit] = []
    for edit in edits:
        if group and edit.old_from - group[-1].old_to > 2 * CONTEXT:
            yield group
            group = []
        group.append(edit)
    if group:
        yield group


def _range(start: int, end: int) -> str:
    length = end - start
    return f"{start + 1 if length else start},{length}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"
