"""Writing the files that may leave the node: tables, JSON, figures, each on record with its SHA-256.

An output lies in the artifact area as `outputs/<run id>/<name>`. In a node the control plane hashes
and records it, so that a release request can name it; on a laptop it is hashed here. The same
values give the same bytes: sorted JSON, `\\n` line ends, pictures without time stamps.
"""
# No `from __future__ import annotations` here: it breaks Dagster's config classes.

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dagster import ConfigurableResource, MetadataValue

from phems.contract.disclosure import checked_declaration
from phems.contract.runtime import RegisteredOutput, current_runtime
from phems.errors import InputError
from phems.project.artifact_area import artifact_dir, whole_file
from phems.project.clean_images import png_of
from phems.project.output_names import check_no_symlink, check_output_name
from phems.project.output_tables import TABLE_FORMATS


class RunContext(Protocol):
    """What is needed of a Dagster context: any op, asset or asset check context has it."""

    @property
    def run_id(self) -> str:
        """The id of the run that the step belongs to."""
        ...


@dataclass(frozen=True, slots=True)
class WrittenOutput:
    """An output that is on record."""

    name: str
    path: Path
    """Absolute, as this process sees it."""
    sha256: str
    size: int
    """Bytes."""

    def metadata(self) -> dict[str, MetadataValue[Any]]:
        """For `context.add_output_metadata(...)`; join those of several outputs with `|`."""
        return {
            f"output/{self.name}": MetadataValue.json(
                {"path": str(self.path), "sha256": self.sha256, "size": self.size}
            )
        }


class TextOutput(io.TextIOWrapper):
    """A text file being written (UTF-8, `\\n`); `written` is set when the `with` block has ended."""

    written: WrittenOutput


class BinaryOutput(io.BufferedWriter):
    """A binary file being written; `written` is set when the `with` block has ended."""

    written: WrittenOutput


class Outputs(ConfigurableResource[Any]):
    """Writes outputs. As a resource, or as the ready-made `phems.project.outputs`.

    Every method raises `InputError` for a name that may not be (absolute, `..`, hidden, a link in the
    way), `UnavailableError` when the disk is full, `RefusedError` over the project's file size. A file is
    there whole or not at all. Writing a name again in the same run replaces the file.
    """

    @contextlib.contextmanager
    def open(self, context: RunContext, name: str) -> Iterator[TextOutput]:
        """`with outputs.open(context, "km/curve.csv") as file: file.write(...)`; then `file.written`."""
        with self.open_binary(context, name) as binary:
            text = TextOutput(binary, encoding="utf-8", newline="\n")
            yield text
            text.flush()
            text.detach()
        text.written = binary.written

    @contextlib.contextmanager
    def open_binary(
        self, context: RunContext, name: str, *, disclosure: Mapping[str, Any] | None = None
    ) -> Iterator[BinaryOutput]:
        """As `open`, for bytes. `disclosure` is what `declare` takes."""
        declared = checked_declaration(disclosure) if disclosure is not None else None
        area, relative = _place(context, name)
        path = area / relative
        with whole_file(path, durable=True) as temporary:
            file = BinaryOutput(io.FileIO(temporary, "w"))
            with contextlib.closing(file):
                yield file
        registered = _register(relative, path, declared)
        file.written = WrittenOutput(name, path, registered.sha256, registered.size)

    def write_text(self, context: RunContext, name: str, text: str) -> WrittenOutput:
        """A text as it is, UTF-8."""
        return self.write_bytes(context, name, text.encode())

    def write_bytes(self, context: RunContext, name: str, content: bytes) -> WrittenOutput:
        """Bytes as they are."""
        with self.open_binary(context, name) as file:
            file.write(content)
        return file.written

    def write_json(self, context: RunContext, name: str, value: Any) -> WrittenOutput:
        """A JSON document: keys sorted, two spaces, no NaN. NumPy numbers are taken as numbers."""
        _check_suffix(name, (".json",), "JSON")
        try:
            text = json.dumps(
                value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False, default=_plain
            )
        except (TypeError, ValueError) as error:
            raise InputError(
                f"The output {name} cannot be written as JSON",
                why=str(error),
                remedy="give dicts, lists, texts, finite numbers, true, false and null only; "
                "write null for a value that is missing",
            ) from error
        return self.write_text(context, name, text + "\n")

    def write_table(
        self, context: RunContext, name: str, table: Any, *, disclosure: Mapping[str, Any] | None = None
    ) -> WrittenOutput:
        """A table (Arrow, pandas, polars, or a list of dicts) as the name ends: `.csv` or `.parquet`.

        Of pandas, a named index becomes columns; an unnamed one is left out. `disclosure` says what the
        table is, so that the node can check it; see `declare`.
        """
        _check_suffix(name, tuple(TABLE_FORMATS), "a table")
        write = TABLE_FORMATS[Path(name).suffix]
        with self.open_binary(context, name, disclosure=disclosure) as file:
            write(table, file)
        return file.written

    def write_figure(self, context: RunContext, name: str, figure: Any, **options: Any) -> WrittenOutput:
        """A matplotlib figure as `.png`, without metadata. `options` go to `savefig`, e.g. `dpi=150`."""
        _check_suffix(name, (".png",), "a figure")
        content = io.BytesIO()
        figure.savefig(content, format="png", metadata={"Software": None}, **options)
        return self.write_bytes(context, name, content.getvalue())

    def write_image(self, context: RunContext, name: str, image: Any) -> WrittenOutput:
        """A picture as a clean `.png`: its pixels alone, without Exif, comments, profiles or thumbnails.

        `image` is a path or bytes of any picture, a Pillow image, or an array of pixels. What carries more
        than its picture fails the node's checks; this is how to write it.
        """
        _check_suffix(name, (".png",), "an image")
        return self.write_bytes(context, name, png_of(image))

    def declare(self, context: RunContext, name: str, disclosure: Mapping[str, Any]) -> WrittenOutput:
        """Say what an output is that this run has written, so that the node can check it before a release.

        `disclosure` is a dict as in `{"kind": "frequency", "dimensions": ["sex"], "count": "patients"}`; its
        keys are in the reference. An output of which nothing is declared is never passed unseen. The
        last declaration counts. Raises `InputError` for one that is not usable, or when there is no
        such output.
        """
        declared = checked_declaration(disclosure)
        area, relative = _place(context, name)
        if not (area / relative).is_file():
            raise InputError(
                f"There is no output {name!r} to declare",
                why="this run has written no file of that name",
                remedy="write it first, then declare it",
            )
        registered = _register(relative, area / relative, declared)
        return WrittenOutput(name, area / relative, registered.sha256, registered.size)


def _run_id(context: RunContext) -> str:
    # Dagster would have asset contexts asked through the op context that they wrap.
    of_op: RunContext = getattr(context, "op_execution_context", context)
    return of_op.run_id


def _place(context: RunContext, name: str) -> tuple[Path, str]:
    """The artifact area, and where in it an output of this name lies."""
    check_output_name(name)
    area, relative = artifact_dir(), f"outputs/{_run_id(context)}/{name}"
    check_no_symlink(area, area / relative)
    return area, relative


def _register(relative: str, path: Path, declaration: Mapping[str, Any] | None) -> RegisteredOutput:
    runtime = current_runtime()
    if runtime is not None:
        return runtime.outputs.register(relative, declaration)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return RegisteredOutput(relative, digest, path.stat().st_size)


def _check_suffix(name: str, allowed: tuple[str, ...], what: str) -> None:
    check_output_name(name)
    if Path(name).suffix not in allowed:
        raise InputError(
            f"{name!r} cannot be the name of {what}",
            why=f"it does not end in {' or '.join(allowed)}",
            remedy=f"say {str(Path(name).with_suffix(allowed[0]))!r}",
        )


def _plain(value: Any) -> Any:
    """A NumPy or Arrow scalar as the plain value it stands for."""
    for method in ("item", "as_py", "isoformat"):
        if hasattr(value, method):
            return getattr(value, method)()
    raise TypeError(f"{type(value).__name__} is no JSON value")


outputs = Outputs()
