"""The drawing of a lineage: boxes in four columns, from data and code by runs and files to releases.

Only where each box and line is, in units of the drawing; the template writes them as SVG. It is bounded: what
is left out is in the tables below it, which say all that it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from phems.domain.capsules import shown_version
from phems.domain.outputs import name_of
from phems.gateway.spelling import short
from phems.services.lineage import FileLineage, Lineage

COLUMNS = ("Data and code", "Runs", "Files", "Releases")
MOST_BOXES = 30
"""In a column."""
WIDE, HIGH, BETWEEN, BELOW, TOP = 232, 62, 56, 18, 34
LONGEST = 27
"""Characters that fit into a box."""
_DIGEST = "sha256:"


@dataclass(frozen=True, slots=True)
class Box:
    """A box with its two lines; `whole` is all of what the first says."""

    x: int
    y: int
    kind: str
    first: str
    second: str
    whole: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """`lines` are the paths between boxes, as SVG writes them; `left_out` counts what has no box."""

    width: int
    height: int
    heads: Sequence[tuple[int, str]]
    boxes: Sequence[Box]
    lines: Sequence[str]
    left_out: int


@dataclass
class _Column:
    """What stands in one column, by key, in order."""

    texts: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    def put(self, key: str, kind: str, first: str, second: str) -> None:
        if len(self.texts) < MOST_BOXES or key in self.texts:
            self.texts[key] = (kind, first, second)
        else:
            self.left_out.add(key)


def drawn(found: Lineage) -> Drawing:
    """Lay a lineage out."""
    columns = [_Column() for _ in COLUMNS]
    links = list(_placed(found, columns))
    places = {
        (number, key): (number * (WIDE + BETWEEN), TOP + row * (HIGH + BELOW))
        for number, column in enumerate(columns)
        for row, key in enumerate(column.texts)
    }
    boxes = [
        Box(*places[number, key], kind, fitted(first), fitted(second), first)
        for number, column in enumerate(columns)
        for key, (kind, first, second) in column.texts.items()
    ]
    tallest = max(len(column.texts) for column in columns)
    return Drawing(
        width=len(COLUMNS) * WIDE + (len(COLUMNS) - 1) * BETWEEN,
        height=TOP + max(1, tallest) * (HIGH + BELOW),
        heads=[(number * (WIDE + BETWEEN), head) for number, head in enumerate(COLUMNS)],
        boxes=boxes,
        lines=[_line(places[a], places[b]) for a, b in dict.fromkeys(links) if a in places and b in places],
        left_out=sum(len(column.left_out) for column in columns),
    )


def fitted(text: str) -> str:
    """A text that fits into a box: its beginning and its end."""
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


_Link = tuple[tuple[int, str], tuple[int, str]]


def _placed(found: Lineage, columns: Sequence[_Column]) -> Iterable[_Link]:
    roots, runs, files, releases = columns
    for run in found.runs:
        runs.put(run.run_id, "run", f"Run {short(run.run_id)}", _asked(run.requested_by))
        for name, version in run.data.items():
            key = f"data {name} {version}"
            roots.put(key, "data", name, shown_version(version))
            yield (0, key), (1, run.run_id)
        if run.commit is not None:
            key = f"code {run.commit}"
            roots.put(key, "code", f"Code {short(run.commit)}", _approved(run.approved_by))
            yield (0, key), (1, run.run_id)
    for file in found.files:
        files.put(_key(file), "file", name_of(file.path), shown_version(_DIGEST + file.sha256))
        yield (1, file.run_id), (2, _key(file))
        for release in file.releases:
            releases.put(release.request, "release", release.request, release.state.lower())
            yield (2, _key(file)), (3, release.request)


def _key(file: FileLineage) -> str:
    return f"{file.run_id} {file.path} {file.sha256}"


def _asked(who: str | None) -> str:
    return f"by {who}" if who is not None else "not on record"


def _approved(approvers: Sequence[str]) -> str:
    return f"approved by {', '.join(approvers)}" if approvers else "no approval on record"


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    """From the right side of one box to the left side of another."""
    x, y = start[0] + WIDE, start[1] + HIGH // 2
    to_x, to_y = end[0], end[1] + HIGH // 2
    bend = (x + to_x) // 2
    return f"M{x} {y}C{bend} {y} {bend} {to_y} {to_x} {to_y}"
