"""A laptop with an empty folder, and a node's runtime around the same code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from phems.contract.runtime import RegisteredOutput, Runtime, SourceInfo, set_runtime


class Registrar:
    """Hashes what it is told to, as the control plane does, and keeps the order of it."""

    def __init__(self, artifact_dir: Path) -> None:
        self.artifact_dir = artifact_dir
        self.registered: list[str] = []
        self.declared: dict[str, Mapping[str, Any] | None] = {}

    def register(self, relative_path: str, declaration: Mapping[str, Any] | None = None) -> RegisteredOutput:
        content = (self.artifact_dir / relative_path).read_bytes()
        self.registered.append(relative_path)
        self.declared[relative_path] = declaration
        return RegisteredOutput(relative_path, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, with nothing set."""
    for name in ("PHEMS_DATA", "PHEMS_ARTIFACTS", "PHEMS_SOURCE_WHAS500"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


EnterNode = Callable[..., Registrar]


@pytest.fixture
def enter_node(tmp_path: Path) -> Iterator[EnterNode]:
    """Call it with the granted sources to be inside a node; its registrar comes back."""
    area = tmp_path / "artifacts"
    area.mkdir()

    def enter(**sources: SourceInfo) -> Registrar:
        registrar = Registrar(area)
        set_runtime(Runtime("heart-attack", tmp_path / "sources", area, sources, registrar))
        return registrar

    yield enter
    set_runtime(None)
