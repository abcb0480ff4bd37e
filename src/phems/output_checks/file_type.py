"""The check of file types: allowed by name, and by content what the name says, and nothing beside.

What the node's own scan refuses at the door (`domain.file_contents`) is looked for again, and then what
takes parsing: pickles in any spelling, a second file behind the first, active content in a PDF.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from phems.domain.file_contents import TEXT_TYPES, ContentScan
from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.domain.outputs import extension_of
from phems.output_checks import pdf, pickles
from phems.output_checks.plugin import CheckContext, finding

Trouble = tuple[Verdict, str] | None

_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 1 << 17
# Ends of archives that can hide behind another file: what unpacks them reads from the end.
_ARCHIVE_ENDS = {b"PK\x05\x06": "a zip archive", b"PK\x06\x06": "a zip archive"}
# Larger JSON is not parsed whole; it is no result that a person could read either.
_LARGEST_JSON = 64 << 20


class FileType:
    """A file is what its name says, of an allowed type, and inert."""

    name = "file-type"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        """See `FileCheck`."""
        extension = extension_of(file.path)
        allowed = context.order.policy["file_types"]
        if extension not in allowed:
            words = f"files of the type .{extension} are not allowed" if extension else "it has no type"
            return [self._finding(file, Verdict.FAIL, words)]
        for look in (_scan, _hidden_archive, _pickle, *_BY_TYPE.get(extension, ())):
            trouble = look(file.place)
            if trouble is not None:
                return [self._finding(file, *trouble)]
        return [self._finding(file, Verdict.PASS, f"its content is that of a .{extension} file, and inert")]

    def _finding(self, file: CheckedFile, verdict: Verdict, summary: str) -> Finding:
        return finding(self, file.path, verdict, summary, type=extension_of(file.path))


def _scan(place: Path) -> Trouble:
    scan = ContentScan(place.name)
    with place.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            scan.feed(chunk)
    problem = scan.problem()
    return (Verdict.FAIL, problem) if problem else None


def _hidden_archive(place: Path) -> Trouble:
    with place.open("rb") as opened:
        opened.seek(max(0, place.stat().st_size - _TAIL_BYTES))
        tail = opened.read()
    found = next((kind for mark, kind in _ARCHIVE_ENDS.items() if mark in tail), None)
    return (Verdict.FAIL, f"{found} hides behind it") if found else None


def _pickle(place: Path) -> Trouble:
    found = pickles.found_in(place, text=extension_of(place.name) in TEXT_TYPES)
    return (Verdict.FAIL, found) if found else None


def _json(place: Path) -> Trouble:
    if place.stat().st_size > _LARGEST_JSON:
        return Verdict.REVIEW, "JSON too large to be read whole"
    try:
        json.loads(place.read_bytes())
    except (ValueError, RecursionError):
        return Verdict.FAIL, "it is no JSON"
    return None


def _json_lines(place: Path) -> Trouble:
    with place.open("rb") as opened:
        while line := opened.readline(_LARGEST_JSON):
            try:
                json.loads(line)
            except (ValueError, RecursionError):
                return Verdict.FAIL, "it is no JSON, line by line"
    return None


def _pdf(place: Path) -> Trouble:
    return pdf.trouble_with(place)


def _parquet(place: Path) -> Trouble:
    from pyarrow import parquet

    return _carried(parquet.ParquetFile(place).metadata.metadata)


def _arrow(place: Path) -> Trouble:
    import pyarrow as pa

    return _carried(pa.ipc.open_file(pa.OSFile(str(place))).schema.metadata)


def _carried(metadata: Mapping[bytes, Any] | None) -> Trouble:
    """What a library wrote beside the table: the index of a data frame, a schema, a serialised object."""
    names = sorted(key.decode("utf-8", "replace")[:60] for key in metadata or {})
    if not names:
        return None
    return Verdict.REVIEW, f"it carries data of its own beside the table: {', '.join(names)}"


_BY_TYPE: Mapping[str, tuple[Callable[[Path], Trouble], ...]] = {
    "arrow": (_arrow,),
    "feather": (_arrow,),
    "geojson": (_json,),
    "json": (_json,),
    "jsonl": (_json_lines,),
    "parquet": (_parquet,),
    "pdf": (_pdf,),
}

CHECK = FileType()
