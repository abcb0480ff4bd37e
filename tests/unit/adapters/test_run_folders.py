"""Removing what runs left: their own folders alone, wherever project code would have it lead."""

from __future__ import annotations

from pathlib import Path

from phems.adapters.files.run_folders import RunFolders
from phems.domain.retention import Area


def put(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("bytes")
    return file


def test_a_run_s_own_files_go_and_nothing_else(tmp_path: Path) -> None:
    """An asset's value, or another run's, would be missed by whoever goes on from it."""
    area = tmp_path / "artifacts" / "demo"
    gone = [put(area / "outputs" / "r1" / "a" / "b.csv"), put(area / "io" / "runs" / "r1" / "step" / "x")]
    kept = [put(area / "outputs" / "r2" / "c.csv"), put(area / "io" / "assets" / "r1" / "@value")]
    log = put(tmp_path / "logs" / "r1" / "compute_logs" / "x.out")
    folders = RunFolders(tmp_path)
    assert folders.measure("demo", Area.ARTIFACTS, "r1") == (2, 10)
    folders.remove("demo", Area.ARTIFACTS, "r1")
    folders.remove("demo", Area.ARTIFACTS, "r1")
    assert not any(file.exists() for file in gone)
    assert all(file.exists() for file in (*kept, log))
    folders.remove("demo", Area.COMPUTE_LOGS, "r1")
    assert folders.measure("demo", Area.COMPUTE_LOGS, "r1") == (0, 0)
    assert not log.parent.exists()


def test_a_link_does_not_lead_a_purge_out_of_the_artifact_area(tmp_path: Path) -> None:
    """Project code would otherwise have the node remove whatever it names."""
    outside = put(tmp_path / "outside" / "r1" / "file")
    area = tmp_path / "artifacts" / "demo"
    area.mkdir(parents=True)
    (area / "outputs").symlink_to(tmp_path / "outside")
    (area / "io" / "runs").mkdir(parents=True)
    (area / "io" / "runs" / "r1").symlink_to(outside.parent)
    (area / "io" / "runs" / "r2").mkdir()
    (area / "io" / "runs" / "r2" / "link").symlink_to(outside.parent)
    folders = RunFolders(tmp_path)
    assert folders.measure("demo", Area.ARTIFACTS, "r1") == (0, 0)
    for run_id in ("r1", "r2"):
        folders.remove("demo", Area.ARTIFACTS, run_id)
    assert outside.exists()
    assert list((area / "io" / "runs").iterdir()) == []
