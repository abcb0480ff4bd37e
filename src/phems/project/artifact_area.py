"""Where a project's files lie, and how a file gets there whole or not at all.

In a node: the artifact area that the runtime names. On a laptop: the folder in the environment variable
`PHEMS_ARTIFACTS`, else `.phems/artifacts` below the working folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from phems.contract.runtime import SharedValues, current_runtime
from phems.errors import PhemsError, RefusedError, UnavailableError

_MAY_NOT = "set PHEMS_ARTIFACTS to a folder you may write to; in a node, ask its operator"
_IN_THE_WAY = "remove or rename it, then run the step again"
_WRITE_ERRORS: Mapping[int, tuple[type[PhemsError], str, str]] = {
    errno.ENOSPC: (UnavailableError, "the disk is full", "free some space, then run the step again"),
    errno.EDQUOT: (UnavailableError, "the disk quota is used up", "free some space, then run the step again"),
    errno.EFBIG: (
        RefusedError,
        "the file grew over the size limit of this project",
        "write less, or in parts; the limit is `resources.file_size` of the project in node.yaml",
    ),
    errno.EROFS: (UnavailableError, "the folder is read-only", _MAY_NOT),
    errno.EACCES: (UnavailableError, "this user may not write there", _MAY_NOT),
    errno.ENOTDIR: (UnavailableError, "a file lies where a folder must be", _IN_THE_WAY),
    errno.EEXIST: (UnavailableError, "a file lies where a folder must be", _IN_THE_WAY),
    errno.EISDIR: (UnavailableError, "a folder lies where the file must go", _IN_THE_WAY),
}


def artifact_dir() -> Path:
    """The artifact area of the project that runs (absolute; it may not exist yet on a laptop)."""
    runtime = current_runtime()
    if runtime is not None:
        return runtime.artifact_dir
    return Path(os.environ.get("PHEMS_ARTIFACTS") or Path(".phems", "artifacts")).absolute()


def kept(path: Path) -> None:
    """Return when the file that was just written is what every machine of the node finds."""
    values, relative = _shared(path)
    if values is not None:
        values.keep(relative)


def at_hand(path: Path) -> Path:
    """Where the value of `path` can be read now, whichever machine wrote it; `path` when there is none."""
    values, relative = _shared(path)
    return (values.find(relative) if values is not None else None) or path


def _shared(path: Path) -> tuple[SharedValues | None, str]:
    runtime = current_runtime()
    if runtime is None or runtime.values is None or not path.is_relative_to(runtime.artifact_dir):
        return None, ""
    return runtime.values, path.relative_to(runtime.artifact_dir).as_posix()


@contextlib.contextmanager
def whole_file(path: Path, *, durable: bool) -> Iterator[Path]:
    """Give a temporary path beside `path`; at the end of the block it takes the place of `path` in one move.

    If the block raises, `path` is as it was before and the temporary file is gone. `durable` waits
    until the bytes are on the disk, so that a power cut cannot leave an empty file under the name.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(path)
    except OSError as error:
        said = _said_plainly(error, path, temporary)
        if said is None:
            raise
        raise said from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _said_plainly(error: OSError, path: Path, temporary: Path) -> PhemsError | None:
    """The error of the tree for a failed write of `path`; `None` if it is of another kind or another file."""
    is_ours = error.filename is None or Path(error.filename) in (temporary, path, *path.parents)
    known = _WRITE_ERRORS.get(error.errno or 0)
    if known is None or not is_ours:
        return None
    kind, why, remedy = known
    return kind(f"{path} could not be written", why=why, remedy=remedy)
