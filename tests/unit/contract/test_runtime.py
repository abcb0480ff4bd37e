"""Project code must find the node's runtime when there is one, and none on a laptop."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from phems.contract.runtime import (
    RegisteredOutput,
    Runtime,
    SourceInfo,
    current_runtime,
    set_runtime,
)


class _NoOutputs:
    def register(self, relative_path: str, declaration: Mapping[str, Any] | None = None) -> RegisteredOutput:
        return RegisteredOutput(relative_path, "0" * 64, 0)


RUNTIME = Runtime(
    project="heart-attack",
    data_dir=Path("/data"),
    artifact_dir=Path("/artifacts"),
    sources={"whas500": SourceInfo(Path("/data/whas500.parquet"), "parquet")},
    outputs=_NoOutputs(),
)


@pytest.fixture(autouse=True)
def _no_runtime_left_behind() -> Iterator[None]:
    yield
    set_runtime(None)


def test_without_a_node_there_is_no_runtime() -> None:
    """Else the library would look for grants on a laptop and find none."""
    assert current_runtime() is None


def test_the_runtime_that_the_host_sets_is_the_one_that_project_code_finds() -> None:
    """Else a granted data source would look ungranted."""
    set_runtime(RUNTIME)
    assert current_runtime() is RUNTIME
    set_runtime(None)
    assert current_runtime() is None


def test_a_runtime_is_not_changed_by_accident() -> None:
    """Else a slip in project code would send its outputs elsewhere without a word."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        RUNTIME.project = "breast-cancer"  # type: ignore[misc]


def test_the_contract_needs_the_standard_library_alone() -> None:
    """Else a project's own environment would need the control plane's packages to read the contract."""
    probe = (
        "import sys; import phems.contract.runtime; "
        "top = {name.partition('.')[0] for name in sys.modules}; "
        "print(sorted(top - set(sys.stdlib_module_names) - {'phems', '__main__'}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {_src()!r}); {probe}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def _src() -> str:
    import phems

    return str(Path(phems.__file__).parent.parent)
