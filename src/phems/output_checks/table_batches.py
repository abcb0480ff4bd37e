"""Reading a table as a stream of text columns, whatever it is stored as, in bounded memory.

Checks look at what a person would read: every cell as text, column names as they stand. A file that
is not the table its name says makes the reader raise, and the check that reads it fail.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phems.domain.output_checks import CheckedFile
from phems.domain.outputs import extension_of

if TYPE_CHECKING:
    import pyarrow as pa

TEXT_TABLES = frozenset({"csv", "tsv"})
BINARY_TABLES = frozenset({"arrow", "feather", "parquet"})
TABLES = TEXT_TABLES | BINARY_TABLES

# The reader reads some thirty blocks ahead: their size bounds its memory.
_BLOCK_BYTES = 1 << 20
_BATCH_ROWS = 1 << 16
# A first line longer than this is no header that a person could read.
_HEADER_BYTES = 1 << 20
_DELIMITERS = {"csv": ",;\t|", "tsv": "\t"}


@dataclass(frozen=True)
class TableStream:
    """A table's column names, and its rows, batch by batch: columns named c0, c1, ... hold texts."""

    names: tuple[str, ...]
    batches: Iterator[pa.RecordBatch]


def is_table(file: CheckedFile) -> bool:
    """Whether the file calls itself a table."""
    return extension_of(file.path) in TABLES


def open_table(file: CheckedFile) -> TableStream:
    """The table of a file; raises what Arrow raises when it is none."""
    extension = extension_of(file.path)
    if extension in TEXT_TABLES:
        return _open_text(file.place, _DELIMITERS[extension])
    return _open_parquet(file.place) if extension == "parquet" else _open_arrow(file.place)


def _open_text(place: Path, delimiters: str) -> TableStream:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with place.open("rb") as opened:
        head = opened.read(_HEADER_BYTES)
    if not head.strip():
        return TableStream((), iter(()))
    names, lines, delimiter = _header(head.decode("utf-8-sig", "replace"), delimiters)
    columns = [f"c{index}" for index in range(len(names))]
    reader = arrow_csv.open_csv(
        place,
        read_options=arrow_csv.ReadOptions(
            use_threads=False, block_size=_BLOCK_BYTES, column_names=columns, skip_rows=lines
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )
    return TableStream(names, iter(reader))


def _header(head: str, delimiters: str) -> tuple[tuple[str, ...], int, str]:
    """The names of the first row, how many lines it takes, and what divides them."""
    first = head.splitlines()[0]
    delimiter = max(delimiters, key=first.count)
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    names = next(reader)
    return tuple(names), reader.line_num, delimiter


def _open_parquet(place: Path) -> TableStream:
    from pyarrow import parquet

    file = parquet.ParquetFile(place, memory_map=False, pre_buffer=False)
    batches = file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False)
    return TableStream(tuple(file.schema_arrow.names), (_as_texts(batch) for batch in batches))


def _open_arrow(place: Path) -> TableStream:
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.OSFile(str(place)))
    batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
    return TableStream(tuple(reader.schema.names), (_as_texts(batch) for batch in batches))


def _as_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    texts = [_texts(column) for column in batch.columns]
    return pa.record_batch(texts, names=[f"c{index}" for index in range(len(texts))])


def _texts(column: Any) -> Any:
    """A column as text; nested ones raise, for nobody could say what is in them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _texts(column.dictionary_decode())
    if pa.types.is_nested(kind):
        raise TypeError(f"a column holds nested values ({kind})")
    if pa.types.is_floating(kind):
        # A whole number is shown as one: 9434765919.0 is an identifier all the same.
        whole = pc.and_(pc.equal(column, pc.trunc(column)), pc.less(pc.abs(column), 2.0**53))
        shown = pc.cast(column, pa.string())
        return pc.if_else(
            pc.fill_null(whole, False),  # noqa: FBT003 - Arrow's own signature
            pc.cast(pc.cast(pc.if_else(whole, column, None), pa.int64()), pa.string()),
            shown,
        )
    return pc.fill_null(pc.cast(column, pa.string()), "")
