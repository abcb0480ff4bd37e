"""A text, page by page: read as a stream, long lines cut, and nothing that is no text."""

from __future__ import annotations

from collections.abc import Iterator

from phems.domain.file_views import FileView, ViewOrder

PAGE_LINES = 500
LONGEST_LINE = 2000
_CHUNK = 1 << 16
_LOOK = 1 << 16


def text_view(order: ViewOrder) -> FileView:
    """A page of the lines that hold what is searched for; view `none` for what is no UTF-8 text."""
    with order.file.place.open("rb") as opened:
        head = opened.read(_LOOK)
    if b"\0" in head or not _is_utf8(head):
        return FileView("none", note="it is no text, table or picture that can be shown")
    search, page = order.query.search.casefold(), max(order.query.page, 1)
    first, found, cut = (page - 1) * PAGE_LINES, 0, False
    kept: list[tuple[int, str]] = []
    for number, (line, is_cut) in enumerate(_lines(order), start=1):
        if search and search not in line.casefold():
            continue
        if first <= found < first + PAGE_LINES:
            kept.append((number, line))
            cut = cut or is_cut
        found += 1
    note = f"lines of more than {LONGEST_LINE:,} characters are cut" if cut else ""
    pages = max(1, -(-found // PAGE_LINES))
    return FileView("text", note=note, page=page, pages=pages, total=found, lines=tuple(kept))


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may lie across the end of what was looked at.
        return error.end == len(head) and len(head) - error.start < 4  # noqa: PLR2004 - a character's bytes
    return True


def _lines(order: ViewOrder) -> Iterator[tuple[str, bool]]:
    """Lines and whether they are cut, whatever their length, in bounded memory."""
    with order.file.place.open("r", encoding="utf-8", errors="replace", newline="\n") as opened:
        while piece := opened.readline(LONGEST_LINE + 1):
            line, cut = piece[:LONGEST_LINE].rstrip("\r\n"), len(piece) > LONGEST_LINE
            while not piece.endswith("\n") and (piece := opened.readline(_CHUNK)):
                cut = True
            yield line, cut
