"""Where packages of projects come from: what an operator may write, and what would be a mistake."""

from __future__ import annotations

import pytest

from phems.errors import InputError
from phems.nodespec import NodeSpec, parse_node

HEAD = "version: 1\nnode: {name: n}\ncontroller: {name: c}\n"
PROJECT = (
    "projects: {heart: {code: {repo: x}, members: {output_checker: [a, b], information_asset_owner: [c]}, "
    "environment: {%s}}}\n"
)


def spec(text: str) -> NodeSpec:
    return parse_node(HEAD + text)


def test_by_default_nothing_is_fetched_and_nothing_is_built() -> None:
    """No package of a project may come from the public index unless an operator said so."""
    found = spec(PROJECT % "")
    assert (found.environments.wheelhouse, found.environments.index) == (None, None)
    assert found.projects["heart"].environment.described is None


def test_an_index_a_wheelhouse_and_a_lock_file_are_named() -> None:
    found = spec(
        "environments: {wheelhouse: wheels, index: 'https://packages.hospital.example:8443/simple/'}\n"
        + PROJECT % "requirements: requirements.lock"
    )
    assert found.environments.index == "https://packages.hospital.example:8443/simple/"
    assert found.projects["heart"].environment.described == "built from requirements.lock"
    assert spec("environments: {index: 'env:PACKAGE_INDEX'}").environments.index == "env:PACKAGE_INDEX"
    assert spec(PROJECT % "python: envs/bin/python").projects["heart"].environment.described == (
        "envs/bin/python"
    )


@pytest.mark.parametrize(
    "index", ["http://packages.hospital.example", "https://me:secret@packages.example/simple", "-r x"]
)
def test_an_index_with_a_password_or_without_tls_is_refused(index: str) -> None:
    """node.yaml lies in Git; and packages over http could be anybody's."""
    with pytest.raises(InputError, match="not the address of a package index"):
        spec(f"environments: {{index: '{index}'}}")


@pytest.mark.parametrize("file", ["../requirements.txt", "sub/requirements.txt", "uv.lock", "setup.py"])
def test_a_lock_file_that_would_not_count_for_the_digest_is_refused(file: str) -> None:
    """Its packages could change without the environment digest."""
    with pytest.raises(InputError, match="not the name of a requirements file"):
        spec(PROJECT % f"requirements: {file}")


def test_a_project_has_one_python() -> None:
    with pytest.raises(InputError, match="two Pythons"):
        spec(PROJECT % "requirements: requirements.txt, python: p")
