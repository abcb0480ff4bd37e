"""Reading YAML: a person who mistypes is told the line, and a hostile file does no harm."""

from __future__ import annotations

import time

import pytest

from phems.nodespec import check_text


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "is empty"),
        ("# only a comment\n", 1, "is empty"),
        ("- a\n- b\n", 1, "is not a mapping"),
        ("just words", 1, "is not a mapping"),
        ("version: 1\nnode: {name: x\ncontroller: 1\n", 3, "is not YAML"),
        ("version: 1\n\tnode: x\n", 2, "is not YAML"),
        ("version: 1\n node: x\n", 2, "is not YAML"),
        ("version: 1\nnode: [1, 2\n", 3, "is not YAML"),
        ("version: 1\n---\nversion: 1\n", 2, "is not YAML"),
        ("version: 1\nnode: \x07bell\n", 2, "control character"),
        ("a: *nobody\n", 1, "is not YAML"),
        ("[" * 5000, 1, "is not YAML"),
    ],
)
def test_text_that_is_no_spec_is_one_problem_at_its_line(text: str, line: int, words: str) -> None:
    (problem,) = check_text(text, file="n.yaml")
    assert problem.line == line
    assert words in str(problem)
    assert str(problem).startswith(f"n.yaml:{line}: ")
    assert problem.why
    assert problem.remedy


def test_a_key_that_comes_twice_names_both_lines(full: str) -> None:
    text = full.replace("      priority: -1", "      priority: -1\n      runs: 12")
    (problem,) = check_text(text)
    assert problem.key == "projects.heart-attack.queue.runs"
    assert "written twice" in problem.what
    lines = text.splitlines()
    assert lines[int(problem.why.split()[1]) - 1] == "      runs: 10"
    assert lines[problem.line - 1] == "      runs: 12"


def test_aliases_that_swell_are_refused_before_they_fill_the_memory() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    begun = time.monotonic()
    problems = check_text("\n".join(levels))
    assert time.monotonic() - begun < 20
    assert any("too large" in problem.what for problem in problems)


def test_an_alias_to_what_it_stands_in_is_refused() -> None:
    assert any("too large" in problem.what for problem in check_text("node: &n\n  name: *n\n"))


def test_aliases_in_reason_are_taken(full: str) -> None:
    text = full.replace("output_checker: [omar, oda]", "output_checker: &who [omar, oda]")
    assert check_text(text.replace("operator: [olga]", "operator: [olga]")) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("extra: !!python/object/apply:os.system [id]", "tag"),
        ("extra: !secret x", "tag"),
        ("extra: !thing {name: x}", "tag"),
        ("<<: {a: 1}", "merge keys"),
        ("1: x", "a key is text"),
        ("? [a]\n: x", "a key is text"),
        ("null: x", "a key is text"),
    ],
)
def test_yaml_beyond_plain_values_is_refused_and_never_run(full: str, line: str, words: str) -> None:
    problems = check_text(full + line + "\n")
    assert any(words in str(problem) for problem in problems), problems


def test_a_value_that_only_looks_like_a_date_is_named(full: str) -> None:
    (problem,) = check_text(full.replace("2030-12-31", "2030-13-31"))
    assert "2030-13-31 is not a date" in problem.what


def test_a_file_without_end_is_refused() -> None:
    (problem,) = check_text("#" * 6_000_000)
    assert "too long" in problem.what
