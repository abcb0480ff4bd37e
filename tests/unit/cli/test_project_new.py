"""phems project new: a Code Repo that is whole, and names and folders that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.typed_lines import Phems

from phems.nodespec import parse_node


def test_a_fresh_code_repo_is_told_file_by_file(phems: Phems, tmp_path: Path) -> None:
    """Otherwise somebody commits a file whose names are still blanks. (Its tests: see `test_code_repos`.)"""
    said = phems("project", "new", "bed-days", "code", "--json")
    assert said.code == 0, said.err
    repo = tmp_path / "code"
    assert sorted(said.data["written"]) == sorted(
        str(file.relative_to(repo)) for file in repo.rglob("*") if file.is_file()
    )
    assert not any("@P" in file.read_text() for file in repo.rglob("*") if file.is_file())


def test_a_fresh_code_repo_is_where_the_node_looks(phems: Phems, tmp_path: Path) -> None:
    """The folder is named in node.yaml, and nothing else needs to be said of it."""
    phems("project", "new", "bed-days")
    spec = parse_node(
        "version: 1\nnode: {name: n}\ncontroller: {name: c}\nprojects: {bed-days: {code: {repo: bed-days}, "
        "members: {output_checker: [a, b], information_asset_owner: [c]}}}"
    )
    code = spec.projects["bed-days"].code
    place = tmp_path / "bed-days" / code.root / f"{code.module.replace('.', '/')}.py"
    assert "load_from_defs_folder" in place.read_text()


@pytest.mark.parametrize("name", ["Bed", "9days", "bed_days", "../x", "class", "statistics", "dagster"])
def test_a_name_that_would_not_work_is_refused_at_once(phems: Phems, tmp_path: Path, name: str) -> None:
    """`statistics` would hide Python's own module from every library that imports it."""
    said = phems("project", "new", name)
    assert said.code == 2
    assert "phems project new" in said.err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(phems: Phems, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    said = phems("project", "new", "bed-days", "mine")
    assert (said.code, "notes.txt is there" in said.err) == (2, True)
    assert [item.name for item in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    (tmp_path / "file").write_text("")
    said = phems("project", "new", "bed-days", "file")
    assert (said.code, "is not a folder" in said.err) == (2, True)


def test_a_fresh_clone_of_an_empty_repo_is_filled(phems: Phems, tmp_path: Path) -> None:
    (tmp_path / "clone" / ".git").mkdir(parents=True)
    assert phems("project", "new", "bed-days", "clone").code == 0
    assert (tmp_path / "clone" / "pyproject.toml").exists()


def test_a_disk_that_refuses_leaves_nothing_behind(
    phems: Phems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a Code Repo would be committed, and fail at the node."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    real = Path.write_text

    def refuse(self: Path, text: str, **options: Any) -> int:
        if self.name == "example.py":
            raise OSError(28, "No space left on device")
        return real(self, text, **options)

    monkeypatch.setattr(Path, "write_text", refuse)
    assert phems("project", "new", "bed-days", "repo").code != 0
    assert [file for file in (tmp_path / "repo").rglob("*") if file.is_file()] == []
