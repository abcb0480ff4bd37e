"""One file of a release request, looked at inside the node: content, what checks found, one's vote on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from phems.domain.file_views import FileQuery, FileView
from phems.domain.outputs import name_of
from phems.domain.release_views import ReleaseView
from phems.domain.releases import FileKind, FrozenFile
from phems.errors import InputError
from phems.gateway.api.answers import attachment
from phems.gateway.site.ask import ACT_DONE, Ask, address
from phems.gateway.site.cell_findings import CellFindings, cell_findings, counting_columns, shown_rows
from phems.gateway.site.findings import shown_findings
from phems.gateway.site.page import Page
from phems.gateway.site.release_forms import ballots_of, reviewed_turn
from phems.gateway.site.release_rows import file_rows, missing_field
from phems.gateway.site.release_standing import standing, unvoted
from phems.services.release_summaries import summary_of

_LONGEST_SEARCH = 200
_MOST = 1_000_000_000
_NUMBER = re.compile(r"[-+]?[\d.,]{1,30}%?\Z", re.ASCII)


@dataclass(frozen=True)
class _Place:
    """Which file of which turn."""

    request: str
    path: str
    turn: int | None

    def link(self, **query: Any) -> str:
        """The address of this file, with more of a query."""
        return address("releases", self.request, "file", path=self.path, turn=self.turn, **query)


def _show(ask: Ask) -> Response:
    place = _place(ask)
    releases = ask.cases.releases
    view = releases.show(ask.person, place.request, turn=place.turn)
    latest = view if place.turn is None else releases.show(ask.person, place.request)
    past = view.request.turn != latest.request.turn
    summary = summary_of(view)
    file = view.request.file(place.path)
    [row] = [row for row in file_rows(ask, view, past=past) if row.file.path == place.path]
    ordered = sorted(row.file.findings, key=lambda finding: ("fail", "review", "pass").index(finding.verdict))
    marks = cell_findings(ordered)
    query = _query(ask, marks)
    content = ask.cases.file_views.view(ask.person, place.request, place.path, query, turn=place.turn)
    may = standing(ask, latest)
    values = {
        "title": f"{row.file.name} in {place.request}",
        "trail": _trail(view),
        "request": summary,
        "row": row,
        "findings": shown_findings(ordered),
        "past": past,
        "may_vote": may.may_vote and not past and file.kind is FileKind.OUTPUT,
        "content": content,
        "rows": shown_rows(content, marks, counting_columns(file.declaration)),
        "numeric": _numeric(content),
        "column_marks": marks.columns,
        "has_marked_rows": marks.has_rows,
        "query": query,
        "only": query.only_rows is not None,
        "link": place.link,
        "pages": _pages(place, query, content),
        "download": address("releases", place.request, "file", "bytes", path=place.path, turn=place.turn),
        "neighbours": _neighbours(view, file, place),
        "back": address("releases", place.request, turn=view.request.turn if past else None),
        "left": len(unvoted(latest, ask.person.name)) if may.may_vote and not past else 0,
        "error_field": missing_field(ask, [row]) or "vote",
    }
    return ask.answer("release_file.html", values)


def _vote(ask: Ask) -> str:
    """Vote on this file, and go on to the next that waits, or back to the request."""
    place = _place(ask)
    releases = ask.cases.releases
    ballots = list(ballots_of(ask, releases.show(ask.person, place.request), only=place.path))
    if not ballots:
        raise InputError("There is no vote to record.", why="none was chosen, or the one you gave before.")
    view = releases.vote(ask.person, place.request, ballots, turn=reviewed_turn(ask))
    waiting = _after(view, place.path, unvoted(view, ask.person.name))
    if waiting is None:
        return address("releases", place.request, **{ACT_DONE: "release.vote"})
    return address("releases", place.request, "file", path=waiting, **{ACT_DONE: "release.vote"})


def _bytes(ask: Ask) -> Response:
    """The frozen bytes, to be saved and never shown by a browser."""
    place = _place(ask)
    file = ask.cases.releases.show(ask.person, place.request, turn=place.turn).request.file(place.path)
    chunks = ask.cases.releases.read_file(ask.person, place.request, place.path, turn=place.turn)
    return attachment(chunks, name=file.path.rpartition("/")[2], size=file.size)


def _place(ask: Ask) -> _Place:
    turn = _number(ask.query("turn"))
    return _Place(ask.name("request"), ask.query("path"), turn)


def _query(ask: Ask, marks: CellFindings) -> FileQuery:
    only = ask.query("only") == "found" and marks.has_rows
    return FileQuery(
        page=_number(ask.query("page")) or 1,
        search=ask.query("search")[:_LONGEST_SEARCH],
        sort=_number(ask.query("sort")),
        descending=ask.query("order") == "down",
        only_rows=tuple(sorted(marks.rows)) if only else None,
        only_cells=tuple(sorted(marks.names)) if only else (),
    )


def _number(given: str) -> int | None:
    """A number of the query string; None when there is none."""
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:12]) <= _MOST:
        raise InputError("The address of this page is not right.", remedy="Go back to the request.")
    return int(given[:12])


def _pages(place: _Place, query: FileQuery, content: FileView) -> dict[str, str]:
    """The addresses of the pages around this one."""
    kept = {
        "search": query.search or None,
        "sort": query.sort,
        "order": "down" if query.descending else None,
        "only": "found" if query.only_rows is not None else None,
    }
    around = {"Previous page": content.page - 1, "Next page": content.page + 1}
    return {
        words: place.link(page=page, **kept) for words, page in around.items() if 1 <= page <= content.pages
    }


def _numeric(content: FileView) -> frozenset[int]:
    """The columns that hold numbers alone on this page, from 0: they are set to the right."""
    columns = enumerate(zip(*(row.cells for row in content.rows), strict=False))
    return frozenset(
        at for at, cells in columns if any(cells) and all(_NUMBER.match(cell) for cell in cells if cell)
    )


def _neighbours(view: ReleaseView, file: FrozenFile, place: _Place) -> dict[str, tuple[str, str]]:
    paths = [each.path for each in view.request.files]
    here = paths.index(file.path)
    around = {"Previous file": here - 1, "Next file": here + 1}
    return {
        words: (name_of(paths[at]), _Place(place.request, paths[at], place.turn).link())
        for words, at in around.items()
        if 0 <= at < len(paths)
    }


def _after(view: ReleaseView, path: str, waiting: list[str]) -> str | None:
    """The next file that waits, in the order of the request, from `path` on and then from the start."""
    order = [file.path for file in view.request.files]
    here = order.index(path)
    return next((each for each in (*order[here + 1 :], *order[:here]) if each in waiting), None)


def _trail(view: ReleaseView) -> list[tuple[str, str]]:
    request = view.request
    return [
        ("Projects", "/projects"),
        (request.project, address("projects", request.project)),
        ("Release requests", address("projects", request.project, "releases")),
        (request.id, address("releases", request.id)),
    ]


PAGES = (
    Page("/releases/{request}/file", _show, {"vote": _vote}),
    Page("/releases/{request}/file/bytes", _bytes),
)
