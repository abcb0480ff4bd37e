"""An approver is shown what a code revision changes, out of the bytes that were submitted."""

from __future__ import annotations

import zlib

import pytest
from tests.integration.governance.governed_site import (
    ANA,
    IDA,
    PROJECT,
    STRANGER,
    CodeRepo,
    Site,
)

from phems.adapters.git import GitRepos
from phems.errors import IntegrityError, NotFoundError
from phems.services.code_diffs import CodeDiffs

LOCK = """version = 1
[[package]]
name = "numpy"
version = "{version}"
source = {{ registry = "https://index.example/packages" }}
"""


@pytest.fixture
def diffs(site: Site) -> CodeDiffs:
    """The use case."""
    return CodeDiffs(site.governance, GitRepos(), site.access)


def test_a_diff_is_against_the_last_approved_and_calls_out_dependencies(
    site: Site, repo: CodeRepo, diffs: CodeDiffs
) -> None:
    """Otherwise an approver reads everything again, and therefore nothing."""
    repo.commit({"uv.lock": LOCK.format(version="2.0"), "old.py": "x = 1\n"})
    first = site.code.submit(ANA, PROJECT)
    assert diffs.diff(IDA, PROJECT, first.commit).base is None
    site.code.approve(IDA, PROJECT, first.commit)
    repo.git("rm", "-q", "old.py")
    repo.commit(
        {"uv.lock": LOCK.format(version="2.1"), "pixi.lock": "version: 6\n", "new.py": "y = 1\nz = 2\n"}
    )
    second = site.code.submit(ANA, PROJECT)

    found = diffs.diff(IDA, PROJECT, second.commit, with_lines=True, paths=["new.py"])
    assert (found.base, found.base_state) == (first.commit, "APPROVED")
    assert [(each.name, each.kind, each.before, each.after) for each in found.dependencies] == [
        ("numpy", "upgraded", "2.0", "2.1")
    ]
    assert found.unread_locks == ("pixi.lock",)
    assert [(file.path, file.kind, file.added, file.removed) for file in found.files] == [
        ("new.py", "added", 2, 0),
        ("old.py", "removed", 0, 1),
        ("pixi.lock", "added", 1, 0),
        ("uv.lock", "changed", 1, 1),
    ]
    assert found.files[0].lines[-2:] == ("+y = 1", "+z = 2")
    assert found.files[3].lines == (), "only the file that was asked for"
    back = diffs.diff(IDA, PROJECT, first.commit, against=second.commit[:10])
    assert back.base == second.commit


def test_a_code_repo_that_changed_since_shows_no_diff(site: Site, repo: CodeRepo, diffs: CodeDiffs) -> None:
    """Attack 17: otherwise an approver reads one tree, and another was submitted."""
    first = site.code.submit(ANA, PROJECT).commit
    site.code.approve(IDA, PROJECT, first)
    with site.governance.transaction() as work:
        revision = work.code_revisions.get(PROJECT, first)
    assert revision is not None
    name = repo.git("rev-parse", f"{first}:uv.lock")
    place = repo.folder / ".git" / "objects" / name[:2] / name[2:]
    place.chmod(0o644)
    place.write_bytes(zlib.compress(b"blob 5\0" + b"other"))
    with pytest.raises(IntegrityError, match="is not what was submitted"):
        diffs.diff(IDA, PROJECT, first)


def test_strangers_see_no_code(site: Site, diffs: CodeDiffs) -> None:
    """Otherwise another project's code is open to all."""
    commit = site.code.submit(ANA, PROJECT).commit
    with pytest.raises(NotFoundError):
        diffs.diff(STRANGER, PROJECT, commit)
