"""Code Repos that somebody made to slip past a review, as real git repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.governance.governed_site import ANA, PROJECT, CodeRepo, Site

from phems.adapters.git import GitRepos, TreeLimits
from phems.errors import InputError, RefusedError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n".format("a" * 64)


def test_a_pointer_of_git_lfs_is_refused(site: Site, repo: CodeRepo) -> None:
    """The reviewer would see three lines, and the model that they stand for could be exchanged afterwards."""
    commit = repo.commit({"model.bin": POINTER, ".gitattributes": "*.bin filter=lfs\n"})
    with pytest.raises(InputError, match=r"model\.bin.*Git LFS") as refused:
        site.code.submit(ANA, PROJECT, commit)
    assert "Remove" in refused.value.remedy


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (TreeLimits(file_size=1000), r"large\.csv.* is too large"),
        (TreeLimits(total_size=1000), "The code revision is too large"),
        (TreeLimits(files=2), "has 3 files"),
    ],
)
def test_a_repo_full_of_data_is_refused_before_it_fills_the_disk(
    repo: CodeRepo, limits: TreeLimits, said: str
) -> None:
    """Somebody commits patient data, or a thousand million zeros that git packs into a kilobyte."""
    commit = repo.commit({"large.csv": "0" * 5000})
    repos = GitRepos(limits)
    with pytest.raises(InputError, match=said), repos.files(repo.folder, commit) as files:
        list(files)


def test_a_commit_of_a_fork_is_refused_though_its_objects_are_here(
    site: Site, repo: CodeRepo, tmp_path: Path
) -> None:
    """A mirror fetches pull requests too: anybody's commit is in the repository, under another reference."""
    fork = CodeRepo(tmp_path / "fork")
    repo.git("clone", "-q", str(repo.folder), str(fork.folder))
    commit = fork.commit(
        {"src/heart_attack/definitions.py": "hostile\n"}, name="Mallory", email="m@evil.example"
    )
    repo.git("fetch", "-q", str(fork.folder), "HEAD:refs/pull/7/head")
    with pytest.raises(RefusedError, match="not on the branch"):
        site.code.submit(ANA, PROJECT, commit)


def test_a_branch_name_that_git_would_read_as_another_reference_is_not_followed(
    site: Site, repo: CodeRepo
) -> None:
    """A tag called like the branch goes first where git guesses; here nothing is guessed."""
    commit = repo.commit({"src/heart_attack/definitions.py": "hostile\n"})
    repo.git("tag", "main", commit)
    repo.git("reset", "-q", "--hard", "HEAD~1")
    assert site.code.submit(ANA, PROJECT).commit == repo.git("rev-parse", "refs/heads/main") != commit
