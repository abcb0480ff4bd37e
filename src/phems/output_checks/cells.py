"""The texts of a file, whatever it is: cells of a table by column, lines of anything else that is text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phems.domain.file_contents import TEXT_TYPES
from phems.domain.output_checks import CheckedFile
from phems.domain.outputs import extension_of
from phems.output_checks.table_batches import is_table, open_table

if TYPE_CHECKING:
    import pyarrow as pa

HEADER = "(the first row)"
LINES = "(the text)"
_CHUNK_BYTES = 4 << 20
_LONGEST_LINE = 1 << 16
# Long lines are cut; what lies across a cut is seen whole in one of the two pieces.
_OVERLAP = 128
_JSON_KEY = re.compile(rb'"([^"\\\n]{1,100})"\s*:')


@dataclass(frozen=True)
class Cells:
    """Texts of one column, once each: `column` is its name."""

    column: str
    texts: pa.Array


def has_text(file: CheckedFile) -> bool:
    """Whether there are texts in the file to look at."""
    return is_table(file) or extension_of(file.path) in TEXT_TYPES


def cells(file: CheckedFile) -> Iterator[Cells]:
    """The file's texts, batch by batch."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not is_table(file):
        for lines in _lines(file):
            yield Cells(LINES, pc.unique(pa.array(lines, pa.string())))
        return
    table = open_table(file)
    # A table without a header has its first row of values there.
    yield Cells(HEADER, pa.array(table.names, pa.string()))
    for batch in table.batches:
        for name, column in zip(table.names, batch.columns, strict=True):
            yield Cells(name, pc.unique(column))


def column_names(file: CheckedFile) -> tuple[str, ...]:
    """The names that values of the file go by: columns of a table, keys of JSON."""
    if is_table(file):
        return open_table(file).names
    if extension_of(file.path) not in {"json", "jsonl", "geojson"}:
        return ()
    keys: dict[str, None] = {}
    rest = b""
    with file.place.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            window = rest + chunk
            keys |= dict.fromkeys(key.decode("utf-8", "replace") for key in _JSON_KEY.findall(window))
            rest = window[-_OVERLAP:]
    return tuple(keys)


def _lines(file: CheckedFile) -> Iterator[list[str]]:
    with file.place.open("r", encoding="utf-8", errors="replace", newline="\n") as opened:
        while lines := opened.readlines(_CHUNK_BYTES):
            yield [piece for line in lines for piece in _pieces(line)]


def _pieces(line: str) -> Iterator[str]:
    if len(line) <= _LONGEST_LINE:
        yield line
        return
    for start in range(0, len(line), _LONGEST_LINE - _OVERLAP):
        yield line[start : start + _LONGEST_LINE]
