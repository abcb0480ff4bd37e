"""Keeping values between steps: tables as Parquet, all else as pickle, below the project's artifact area.

Layout, each part of a key percent-encoded so that no key can leave its folder or meet another's:

    io/assets/<asset key part>/.../@value                 an asset without partitions
    io/assets/<asset key part>/.../partition=<key>        one partition of an asset
    io/runs/<run id>/<step key>/<output>[/<mapping key>]  an output of an op

Pickle stays inside one project: only code of that project ever reads its artifact area back, inside
that project's sandbox. The control plane never unpickles, and output checks refuse pickles in a release.
"""
# No `from __future__ import annotations` here: it breaks Dagster's config classes.

import hashlib
import pickle
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from dagster import ConfigurableIOManager, InputContext, MetadataValue, OutputContext
from pydantic import Field

from phems.errors import InputError, NotFoundError
from phems.project.artifact_area import artifact_dir, at_hand, kept, whole_file
from phems.project.tables import from_arrow, kind_of, kind_of_class, to_arrow

_KIND = b"phems.kind"
_PARQUET_MARK = b"PAR1"
_LONGEST_NAME = 200  # file systems stop at 255 bytes; the temporary name needs some


class ProjectIOManager(ConfigurableIOManager):
    """Stores each value whole or not at all, and gives a table back as the input's type hint asks.

    Without a hint a table comes back as what it was. Several partitions come back as a `dict` by partition
    key. Loading a value that was never stored raises `NotFoundError`, save for partitions when the input's
    metadata says `allow_missing_partitions`. In a node it is also what definitions get that name no
    `io_manager`.
    """

    base_dir: str | None = Field(
        default=None, description="Another folder than the artifact area's `io`; for a laptop or a test."
    )

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store `obj`, and note rows, columns, bytes and path on the output."""
        paths = self._paths_of_output(context)
        values = _by_partition(context, obj, paths) if len(paths) > 1 else dict.fromkeys(paths, obj)
        stored = [_store(values[key], path) for key, path in paths.items()]
        for path in paths.values():
            kept(path)
        known = context.output_metadata or {}
        notes = _notes(stored, list(paths.values()))
        context.add_output_metadata({name: value for name, value in notes.items() if name not in known})

    def load_input(self, context: InputContext) -> Any:
        """The stored value, or a dict of them by partition key."""
        hint = context.dagster_type.typing_type
        if not (context.has_asset_key and context.has_asset_partitions):
            return _load(self._path_of_input(context), _table_kind(hint), _said(context))
        folder = self._asset_folder(context.asset_key.path)
        keys = context.asset_partition_keys
        wants_dict = typing.get_origin(hint) in (dict, Mapping)
        if len(keys) == 1 and not wants_dict:
            return _load(folder / _partition(keys[0]), _table_kind(hint), _said(context, keys[0]))
        kind = _table_kind(typing.get_args(hint)[1]) if wants_dict else None
        paths = {key: folder / _partition(key) for key in keys}
        if (context.definition_metadata or {}).get("allow_missing_partitions"):
            paths = {key: path for key, path in paths.items() if at_hand(path).exists()}
        return {key: _load(path, kind, _said(context, key)) for key, path in paths.items()}

    def _root(self) -> Path:
        return Path(self.base_dir).absolute() if self.base_dir else artifact_dir() / "io"

    def _asset_folder(self, key: Iterable[str]) -> Path:
        return self._root().joinpath("assets", *map(_safe, key))

    def _paths_of_output(self, context: OutputContext) -> dict[str, Path]:
        if not context.has_asset_key:
            return {"": self._root().joinpath("runs", *map(_safe, context.get_identifier()))}
        folder = self._asset_folder(context.asset_key.path)
        if context.has_asset_partitions:
            return {key: folder / _partition(key) for key in context.asset_partition_keys}
        return {"": folder / "@value"}

    def _path_of_input(self, context: InputContext) -> Path:
        if context.has_asset_key:
            return self._asset_folder(context.asset_key.path) / "@value"
        return self._root().joinpath("runs", *map(_safe, context.get_identifier()))


default_io_manager = ProjectIOManager().get_resource_definition()
"""What a node gives to definitions that name no `io_manager`: see `contract.process_environment`."""


def _safe(part: str) -> str:
    """One key part as one file name: injective, never hidden, never a way out."""
    name = quote(part, safe="")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > _LONGEST_NAME:
        name = name[:_LONGEST_NAME] + "~" + hashlib.sha256(part.encode()).hexdigest()[:32]
    return name


def _partition(key: str) -> str:
    return "partition=" + _safe(key)


def _by_partition(context: OutputContext, obj: Any, paths: Mapping[str, Path]) -> Mapping[str, Any]:
    """The value of each partition, when one step writes several of them at once."""
    if isinstance(obj, Mapping) and set(obj) == set(paths):
        return obj
    raise InputError(
        f"{_said(context)} wrote {len(paths)} partitions in one step, but not one value for each",
        why="only a dict with exactly the run's partition keys says which value belongs to which partition",
        remedy="return a dict by partition key (context.partition_keys), "
        "or give the asset backfill_policy=BackfillPolicy.multi_run()",
    )


def _store(obj: Any, path: Path) -> pa.Schema | int | None:
    """Write one value; the row count and schema of a table come back for the notes."""
    table = _storable_table(obj)
    with whole_file(path, durable=False) as temporary:
        if table is None:
            with temporary.open("wb") as file:
                pickle.dump(obj, file, protocol=pickle.HIGHEST_PROTOCOL)
            return None
        import pyarrow.parquet as pq

        pq.write_table(table, temporary)
    return table


def _storable_table(obj: Any) -> pa.Table | None:
    """`obj` as an Arrow table that Parquet can hold, its kind noted; `None` for all else."""
    kind = kind_of(obj)
    if kind is None:
        return None
    try:
        table = to_arrow(obj)
    except (pa.ArrowException, ValueError, TypeError):
        return None  # e.g. a pandas column of mixed Python objects: pickle keeps it as it is
    if len(set(table.column_names)) < table.num_columns:
        return None
    return table.replace_schema_metadata((table.schema.metadata or {}) | {_KIND: kind.encode()})


def _notes(stored: Sequence[Any], paths: Sequence[Path]) -> dict[str, MetadataValue[Any]]:
    notes: dict[str, MetadataValue[Any]] = {}
    if all(isinstance(table, pa.Table) for table in stored):
        notes["rows"] = MetadataValue.int(sum(table.num_rows for table in stored))
        notes["columns"] = MetadataValue.json(list(stored[0].column_names))
    notes["bytes"] = MetadataValue.int(sum(path.stat().st_size for path in paths))
    notes["path"] = MetadataValue.path(str(paths[0] if len(paths) == 1 else paths[0].parent))
    return notes


def _load(path: Path, kind: str | None, said: str) -> Any:
    place = at_hand(path)
    try:
        file = place.open("rb")
    except FileNotFoundError:
        raise NotFoundError(
            f"{said} has no stored value",
            why=f"{path} does not exist: it was never materialized in this artifact area",
            remedy=f"materialize it first, e.g. `dagster asset materialize --select ...`, "
            f"or select it together with what needs it (`+{said.rsplit(maxsplit=1)[-1]}`)",
        ) from None
    with file:
        if file.read(4) != _PARQUET_MARK:
            file.seek(0)
            return pickle.load(file)  # noqa: S301  (the project's own value, in the project's own sandbox)
    import pyarrow.parquet as pq

    table = pq.ParquetFile(place).read()
    noted = dict(table.schema.metadata or {})
    stored_kind = noted.pop(_KIND, b"arrow").decode()
    return from_arrow(table.replace_schema_metadata(noted or None), kind or stored_kind)


def _table_kind(hint: Any) -> str | None:
    """The kind of table that a type hint asks for; of a union, the first that is one."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next((kind for part in typing.get_args(hint) if (kind := kind_of_class(part))), None)
    return kind_of_class(hint)


def _said(context: InputContext | OutputContext, partition: str = "") -> str:
    """How to call a value in an error."""
    if not context.has_asset_key:
        return f"The output {'.'.join(context.get_identifier()[1:])}"
    of_partition = f"The partition {partition} of the asset" if partition else "The asset"
    return f"{of_partition} {context.asset_key.to_user_string()}"
