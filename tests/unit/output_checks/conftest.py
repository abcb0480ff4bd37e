"""Files as the checks see them, without the process around."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from phems.domain.output_checks import CheckedFile, CheckOrder, Finding, Verdict
from phems.nodespec import Policy
from phems.output_checks.plugin import CheckContext, FileCheck

FILE_TYPES = [
    "arrow",
    "csv",
    "gif",
    "jpg",
    "json",
    "jsonl",
    "md",
    "onnx",
    "parquet",
    "pdf",
    "png",
    "safetensors",
]
FILE_TYPES += ["tsv", "txt"]

# A file by its name and content, a declaration, limits and thresholds of the policy.
Look = Callable[..., list[Finding]]


def policy(**changes: Any) -> dict[str, Any]:
    """The default policy, with other limits or thresholds."""
    default = Policy()
    sections = {"thresholds": default.thresholds.model_dump(), "checks": default.checks.model_dump()}
    for section in sections.values():
        section.update({key: value for key, value in changes.items() if key in section})
    return {"name": "default", "file_types": FILE_TYPES, "max_file_size": 10_000_000, **sections}


def order_of(folder: Path, declarations: Mapping[str, Any] | None = None, **changes: Any) -> CheckOrder:
    """An order for every file of a folder."""
    files = tuple(
        CheckedFile(
            path=f"outputs/run-1/{place.name}",
            name=place.name,
            request_id="rr-aaaaaaaa",
            state="PENDING",
            turn=1,
            sha256="0" * 64,
            size=place.stat().st_size,
            media_type="",
            run_id="run-1",
            place=place,
            declaration=(declarations or {}).get(place.name),
        )
        for place in sorted(folder.iterdir())
    )
    return CheckOrder("heart-attack", "rr-aaaaaaaa", 1, files, (), policy(**changes))


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """What a check finds about one file."""

    def found(
        check: FileCheck, name: str, content: bytes | str, declaration: Any = None, **changes: Any
    ) -> list[Finding]:
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        place = folder / name
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        order = order_of(folder, {name: declaration}, **changes)
        [file] = order.files
        try:
            return list(check.check_file(file, CheckContext(order, tmp_path)))
        finally:
            place.unlink()

    return found


def verdicts(findings: list[Finding]) -> set[Verdict]:
    """What was said, in any order."""
    return {finding.verdict for finding in findings}
