"""Finding the file behind a data source's name, and seeing that it is what it says.

In a node the grants decide; on a laptop an environment variable or a folder of files stands in for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from phems.contract.runtime import Runtime, SourceInfo, current_runtime
from phems.errors import InputError, NotFoundError, RefusedError, UnavailableError

FORMATS = ("parquet", "csv", "duckdb")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SUFFIXES = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".duckdb": "duckdb", ".db": "duckdb"}
_HEAD = 64 * 1024


def find_source(name: str) -> SourceInfo:
    """The file and format of the data source `name`, seen to be readable and of that format."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name of a data source",
            why="a name starts with a lower-case letter and holds letters, digits and hyphens only",
            remedy='write the name as node.yaml does under `data_sources`, e.g. DataSource(source="whas500")',
        )
    runtime = current_runtime()
    info = _granted(name, runtime) if runtime is not None else _on_this_laptop(name)
    _see(name, info)
    return info


def _granted(name: str, runtime: Runtime) -> SourceInfo:
    info = runtime.sources.get(name)
    if info is None:
        granted = ", ".join(sorted(runtime.sources)) or "none"
        raise RefusedError(
            f"This project has no grant for the data source {name}",
            why=f"the project {runtime.project} may read: {granted}",
            remedy=f"an Information Asset Owner of the node adds `- source: {name}` under "
            f"`projects.{runtime.project}.data_grants` in node.yaml; then check with `phems project list`",
        )
    return info


def _on_this_laptop(name: str) -> SourceInfo:
    variable = "PHEMS_SOURCE_" + name.upper().replace("-", "_")
    named = os.environ.get(variable)
    if named:
        path = Path(named).absolute()
        return SourceInfo(path, _format_by_suffix(path, variable))
    folder = Path(os.environ.get("PHEMS_DATA") or "data").absolute()
    for suffix in FORMATS:
        path = folder / f"{name}.{suffix}"
        if path.exists():
            return SourceInfo(path, suffix)
    raise NotFoundError(
        f"There is no file for the data source {name} on this machine",
        why=f"{variable} is not set, and {folder} holds no {name}.parquet, {name}.csv or {name}.duckdb",
        remedy=f"say `export {variable}=/path/to/file.parquet`, or put the file into {folder}, "
        "or name another folder with PHEMS_DATA",
    )


def _format_by_suffix(path: Path, variable: str) -> str:
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f"{variable} names {path}, whose format is not known",
            why=f"the name ends in {path.suffix or 'nothing'!r}, not in one of {', '.join(_SUFFIXES)}",
            remedy="give the file the ending of its format",
        ) from None


def _see(name: str, info: SourceInfo) -> None:
    """Raise if the file is missing, not readable, or not of its format."""
    try:
        with info.path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(-min(4, len(head)), os.SEEK_END)
            tail = file.read(4)
    except OSError as error:
        raise UnavailableError(
            f"The file of the data source {name} cannot be read: {info.path}",
            why=error.strerror or str(error),
            remedy=f"see that the file is there and readable; in a node, the operator sets "
            f"`data_sources.{name}.path` in node.yaml and says `phems check`",
        ) from error
    trouble = _TROUBLE_WITH[info.format](head, tail)
    if trouble:
        raise InputError(
            f"The data source {name} is no {_TITLES[info.format]} file: {info.path}",
            why=trouble,
            remedy=f"write the file anew, or correct `data_sources.{name}.format` in node.yaml "
            f"(one of {', '.join(FORMATS)})",
        )


def _trouble_with_parquet(head: bytes, tail: bytes) -> str:
    if not head.startswith(b"PAR1"):
        return "it does not begin with the mark PAR1 of a Parquet file"
    return (
        ""
        if tail == b"PAR1" and len(head) > len(b"PAR1PAR1")
        else "its end is missing: it was cut off while it was written or copied"
    )


def _trouble_with_csv(head: bytes, _tail: bytes) -> str:
    if not head.strip():
        return "it is empty: not even a header line"
    if b"\0" in head:
        return "it holds binary data"
    try:
        head[: head.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 text (byte {error.start})"
    return ""


def _trouble_with_duckdb(head: bytes, _tail: bytes) -> str:
    return "" if head[8:12] == b"DUCK" else "it does not bear the mark DUCK of a DuckDB database"


_TITLES: Mapping[str, str] = {"parquet": "Parquet", "csv": "CSV", "duckdb": "DuckDB"}
_TROUBLE_WITH: Mapping[str, Callable[[bytes, bytes], str]] = {
    "parquet": _trouble_with_parquet,
    "csv": _trouble_with_csv,
    "duckdb": _trouble_with_duckdb,
}
