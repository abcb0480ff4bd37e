"""What a code revision is, as one digest."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.digests import TreeEntry, check_tree_paths, content_digest, environment_digest
from phems.domain.relative_paths import MAX_COMPONENT_BYTES, problem_with
from phems.errors import InputError

ZERO, ONE = "0" * 64, "1" * 64


def test_the_digest_is_the_published_formula() -> None:
    """Otherwise nobody outside can check what was approved."""
    entries = [TreeEntry("b.py", "100755", ONE), TreeEntry("a.py", "100644", ZERO)]
    canonical = f'[["a.py","100644","{ZERO}"],["b.py","100755","{ONE}"]]'
    assert content_digest(entries) == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        TreeEntry("a.py", "100644", ONE),
        TreeEntry("a.py", "100755", ZERO),
        TreeEntry("b.py", "100644", ZERO),
    ],
)
def test_every_difference_changes_the_digest(other: TreeEntry) -> None:
    """Attack 17: an approval must not hold for code one byte, mode or name different."""
    assert content_digest([other]) != content_digest([TreeEntry("a.py", "100644", ZERO)])
    assert content_digest([other]) != content_digest([])


@given(st.permutations([TreeEntry(name, "100644", ZERO) for name in ("a", "b/c", "b/d", "ä", "é")]))
def test_the_order_of_the_tree_does_not_matter(entries: list[TreeEntry]) -> None:
    """Otherwise Git and the folder of the Code Mount give two digests."""
    assert content_digest(entries) == content_digest(sorted(entries))


@pytest.mark.parametrize("entry", [TreeEntry("a", "120000", ZERO), TreeEntry("a", "100644", "short")])
def test_only_hashed_regular_files_have_a_digest(entry: TreeEntry) -> None:
    """Otherwise a symbolic link is approved as if it were a file."""
    with pytest.raises(InputError, match="mode"):
        content_digest([entry])


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        (["../x"], "climbs"),
        (["x/.git/config"], "taken for a repository"),
        (["x/.GIT/config"], "taken for a repository"),
        (["x", "x"], "twice"),
        (["x", "x/y"], "both as a file and as a folder"),
    ],
)
def test_trees_that_cannot_lie_in_a_folder_are_refused(paths: list[str], told: str) -> None:
    """Otherwise writing the tree into the Code Mount writes somewhere else."""
    with pytest.raises(InputError, match=told):
        check_tree_paths(paths)


def test_the_environment_digest_follows_the_lock_files_alone() -> None:
    """Otherwise a changed dependency goes unseen."""
    code = TreeEntry("src/a.py", "100644", ZERO)
    lock, other = TreeEntry("uv.lock", "100644", ZERO), TreeEntry("uv.lock", "100644", ONE)
    assert environment_digest([code]) is None
    assert environment_digest([TreeEntry("src/uv.lock", "100644", ZERO)]) is None
    assert environment_digest([code, lock]) == environment_digest([lock])
    assert environment_digest([lock]) != environment_digest([other])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "empty"),
        ("/a", "absolute"),
        ("a\\b", "backslash"),
        ("a/../b", "climbs"),
        ("a//b", "empty or '.'"),
        ("./a", "empty or '.'"),
        ("a/", "empty or '.'"),
        ("a\0b", "control"),
        ("a\x1b[31m", "control"),
        ("invoice\u202efdp.csv", "invisible"),
        ("lone\ud800", "invisible"),
        ("x" * (MAX_COMPONENT_BYTES + 1), "longer"),
        ("/".join(["x" * 200] * 6), "longer"),
    ],
)
def test_a_path_that_cannot_be_trusted_says_why(path: str, told: str) -> None:
    """Attack 26: otherwise a file name climbs, hides what it is, or writes to a terminal."""
    assert told in (problem_with(path) or "")


@given(
    st.lists(
        st.text("abcäß. _-", min_size=1, max_size=8).filter(lambda part: part not in (".", "..")),
        min_size=1,
        max_size=5,
    )
)
def test_plain_relative_paths_pass(parts: list[str]) -> None:
    """Otherwise people cannot name their files."""
    assert problem_with("/".join(parts)) is None
