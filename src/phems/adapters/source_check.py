"""Whether a data source's file is what the node spec says: by its first bytes, then by reading its head.

Parquet: the format's magic at both ends and a readable footer. DuckDB: the magic at byte 8 (storage
format of duckdb.org). CSV has no magic: text with a header and rows of as many fields.
"""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HEAD = 256 * 1024
PARQUET = b"PAR1"
DUCKDB = b"DUCK"
# A DuckDB file starts with three headers of 4 KiB.
DUCKDB_LEAST = 3 * 4096
CSV_ROWS = 200


@dataclass(frozen=True, slots=True)
class SourceFault:
    """Why a file cannot be read; `about_format` when the file is there but is something else."""

    what: str
    why: str
    remedy: str
    about_format: bool = False

    @property
    def texts(self) -> tuple[str, str, str]:
        return self.what, self.why, self.remedy


def source_fault(file: Path, kind: str) -> SourceFault | None:
    """What is wrong with a data file of kind parquet, csv or duckdb; `None` when nothing is."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            return SourceFault(f"{file} is not a file", "a data source is one file", "name the file itself")
        with file.open("rb") as stream:
            head = stream.read(HEAD)
            stream.seek(-min(len(PARQUET), status.st_size), os.SEEK_END)
            tail = stream.read()
    except FileNotFoundError:
        return SourceFault(
            f"{file} does not exist", "project code could not read it", "put it there, or correct the path"
        )
    except OSError as error:
        return SourceFault(
            f"{file} cannot be read", str(error.strerror), f"check its permissions: ls -l {file}"
        )
    reason = _REASONS[kind](file, head, tail)
    if reason is None:
        return None
    looks = next((other for other in _REASONS if other != kind and _looks_like(other, head)), None)
    return SourceFault(
        f"{file} is not a {_NAMES[kind]} file",
        reason,
        f"write format: {looks}, which it looks like" if looks else "name another file, or write it anew",
        about_format=True,
    )


def _parquet(file: Path, head: bytes, tail: bytes) -> str | None:
    if not head.startswith(PARQUET):
        return "it does not start with PAR1"
    if tail != PARQUET or len(head) < 2 * len(PARQUET):
        return "its end is missing: it was not written to the end, or encrypted"
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            columns: int = opened.metadata.num_columns
    except Exception as error:  # noqa: BLE001 (pyarrow raises what it likes on a broken footer)
        return f"its footer cannot be read ({str(error).splitlines()[0][:120]})"
    return None if columns else "it has no columns"


def _duckdb(_file: Path, head: bytes, _tail: bytes) -> str | None:
    if head[8:12] != DUCKDB:
        return "it has no DUCK at byte 8"
    return None if len(head) >= DUCKDB_LEAST else "its end is missing"


def _csv(_file: Path, head: bytes, _tail: bytes) -> str | None:
    if not head.strip():
        return "it is empty"
    if head.startswith(PARQUET) or head[8:12] == DUCKDB or b"\x00" in head:
        return "it is not text"
    # The head may end inside a letter or a row: what follows the last line's end is not judged.
    whole = len(head) < HEAD
    try:
        text = (head if whole else head[: head.rfind(b"\n") + 1]).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"byte {error.start} is not UTF-8"
    return _uneven(text)


def _uneven(text: str) -> str | None:
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        header = next(reader, [])
        if not header or any(not name.strip() for name in header[1:]):
            return "its first line does not name every column"
        for row, _ in zip(reader, range(CSV_ROWS), strict=False):
            if row and len(row) != len(header):
                return f"line {reader.line_num} has {len(row)} fields, the header {len(header)}"
    except csv.Error as error:
        return str(error)
    return None


def _looks_like(kind: str, head: bytes) -> bool:
    return _csv(Path(), head, b"") is None if kind == "csv" else _MAGIC[kind](head)


_NAMES = {"parquet": "Parquet", "csv": "CSV", "duckdb": "DuckDB"}
_MAGIC: Mapping[str, Callable[[bytes], bool]] = {
    "parquet": lambda head: head.startswith(PARQUET),
    "duckdb": lambda head: head[8:12] == DUCKDB,
}
_REASONS: Mapping[str, Callable[[Path, bytes, bytes], str | None]] = {
    "parquet": _parquet,
    "duckdb": _duckdb,
    "csv": _csv,
}
