"""Reads node.yaml from disk: the one place in `nodespec` that opens a file."""

from __future__ import annotations

from pathlib import Path

from phems.errors import InputError, NotFoundError
from phems.nodespec.check import parse_node
from phems.nodespec.models import NodeSpec

FILE_NAME = "node.yaml"


def load_node(path: Path | str) -> NodeSpec:
    """The node spec at `path` (node.yaml, or the folder it lies in).

    NotFoundError when there is none, SpecError (an InputError) with every problem.
    """
    return parse_node(read_node_text(path), file=str(spec_file(path)))


def spec_file(path: Path | str) -> Path:
    """The node.yaml that `path` names: itself, or the one in a folder."""
    path = Path(path)
    return path / FILE_NAME if path.is_dir() else path


def read_node_text(path: Path | str) -> str:
    """The text of node.yaml, with errors for people when it cannot be read."""
    file = spec_file(path)
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no node spec at {file}.",
            why="Every command works on a node, and a node is a folder with a node.yaml.",
            remedy=f"phems init {file.parent}, or name the folder: phems --node DIR ...",
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file} is not text.", why=f"Byte {error.start} is not UTF-8.", remedy="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise InputError(
            f"{file} cannot be read.", why=f"{error.strerror}.", remedy=f"Check its permissions: ls -l {file}"
        ) from None
