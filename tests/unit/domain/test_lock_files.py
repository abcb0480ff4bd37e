"""Dependency changes that an approver is told of are those that there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain import lock_files
from phems.domain.lock_files import Pin, changes, normalised, read_pins

UV = """
version = 1
[[package]]
name = "study"
version = "0.1"
source = { editable = "." }
[[package]]
name = "NumPy"
version = "2.1.0"
source = { registry = "https://index.example/packages" }
sdist = { url = "https://files.example/numpy.tar.gz", hash = "sha256:aa" }
wheels = [{ url = "https://files.example/numpy.whl", hash = "sha256:bb" }]
"""
POETRY = """
[[package]]
name = "lifelines"
version = "0.30.0"
files = [{file = "lifelines.whl", hash = "sha256:aa"}]
[[package]]
name = "acro"
version = "0.4"
[package.source]
type = "git"
url = "https://forge.example/acro.git"
reference = "main"
resolved_reference = "abc"
"""
PYLOCK = """
lock-version = "1.0"
[[packages]]
name = "attrs"
version = "25.1"
index = "https://index.example/packages"
wheels = [{name = "attrs.whl", hashes = {sha256 = "aa"}}]
[[packages]]
name = "local"
directory = {path = "lib"}
[[packages]]
name = "forked"
vcs = {type = "git", url = "https://forge.example/x", commit-id = "c0ffee"}
"""
REQUIREMENTS = """
# comment
--extra-index-url https://packages.example/simple
-r other.txt
numpy==2.1.0 ; python_version > "3.10" \\
    --hash=sha256:aa \\
    --hash=sha256:bb  # two
Typing_Extensions [extra] >= 4.0
acro @ git+https://forge.example/acro.git
./wheels/x.whl
"""


def pins(path: str, text: str) -> dict[str, list[Pin]]:
    found = read_pins(path, text.encode())
    assert found is not None
    return {name: sorted(each) for name, each in found.items()}


def test_the_lock_of_uv() -> None:
    """Otherwise the approver of most projects is told nothing."""
    assert pins("uv.lock", UV) == {
        "study": [Pin("0.1", "editable .")],
        "numpy": [
            Pin("2.1.0", "registry https://index.example/packages", frozenset({"sha256:aa", "sha256:bb"}))
        ],
    }


def test_the_lock_of_poetry() -> None:
    """Otherwise a dependency from somebody's branch looks like one from the index."""
    assert pins("poetry.lock", POETRY) == {
        "lifelines": [Pin("0.30.0", "", frozenset({"sha256:aa"}))],
        "acro": [Pin("0.4", "git https://forge.example/acro.git abc main")],
    }


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.dev.toml"])
def test_the_lock_of_pep_751(name: str) -> None:
    """Otherwise the standard's own form is not read."""
    assert pins(name, PYLOCK) == {
        "attrs": [Pin("25.1", "https://index.example/packages", frozenset({"sha256:aa"}))],
        "local": [Pin("", "directory lib")],
        "forked": [Pin("", "vcs https://forge.example/x c0ffee")],
    }


def test_the_requirements_of_pip_with_their_indexes() -> None:
    """Otherwise a new place to download from, the worst change of all, is not told."""
    assert pins("requirements-dev.txt", REQUIREMENTS) == {
        "--extra-index-url": [Pin("https://packages.example/simple")],
        "-r": [Pin("other.txt")],
        "numpy": [Pin("2.1.0", "", frozenset({"sha256:aa", "sha256:bb"}))],
        "typing-extensions": [Pin(">= 4.0")],
        "acro": [Pin("", "git+https://forge.example/acro.git")],
        "--unnamed": [Pin("./wheels/x.whl")],
    }


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("pixi.lock", b"version: 6\n"),
        ("uv.lock", b"not toml ="),
        ("uv.lock", b"\xff"),
        ("uv.lock", b"package = 3"),
        ("uv.lock", b"package = [3]"),
        ("uv.lock", b"[[package]]\nversion = '1'"),
        ("uv.lock", b"a = " + b"[" * 50_000),
    ],
)
def test_a_lock_that_cannot_be_read_says_so(path: str, content: bytes) -> None:
    """Otherwise a broken lock file looks like one without dependencies."""
    assert read_pins(path, content) is None


def test_a_lock_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one file keeps the control plane busy."""
    monkeypatch.setattr(lock_files, "LARGEST", 3)
    assert read_pins("requirements.txt", b"a==1") is None


@pytest.mark.parametrize(
    ("old", "new", "kind", "before", "after"),
    [
        ("", "a==1", "added", "", "1"),
        ("a==1", "", "removed", "1", ""),
        ("a==1.9", "a==1.10", "upgraded", "1.9", "1.10"),
        ("a==2!1", "a==1!5", "downgraded", "2!1", "1!5"),
        ("a==1.0", "a==1.0.0", "changed", "1.0", "1.0.0"),
        ("a==odd", "a==ends", "changed", "odd", "ends"),
        ("a==1", "a @ https://elsewhere.example/a.whl", "downgraded", "1", "from"),
        ("a==1 --hash=sha256:aa", "a==1 --hash=sha256:bb", "repinned", "1", "1"),
    ],
)
def test_what_became_of_a_dependency(old: str, new: str, kind: str, before: str, after: str) -> None:
    """Otherwise a swapped package is taken for the one that was reviewed."""
    told = changes(
        read_pins("requirements.txt", old.encode()) or {},
        read_pins("requirements.txt", new.encode()) or {},
        file="requirements.txt",
    )
    (change,) = told
    assert (change.name, change.kind, change.before, change.file) == ("a", kind, before, "requirements.txt")
    assert change.after.startswith(after) or after == "from"


def test_the_same_is_no_change() -> None:
    """Otherwise the list is noise, and nobody reads it."""
    found = read_pins("requirements.txt", b"Foo_Bar==1")
    assert changes(found or {}, read_pins("requirements.txt", b"foo.bar==1") or {}) == []
    assert normalised("--index-url") == "--index-url"


@given(st.text(max_size=80))
def test_no_requirements_file_breaks_the_reader(text: str) -> None:
    """Otherwise a strange line stops the review."""
    assert read_pins("requirements.txt", text.encode(errors="replace")) is not None
