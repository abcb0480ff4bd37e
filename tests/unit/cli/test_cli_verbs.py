"""init, check, schema, project list, and how the node is found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from tests.typed_lines import Phems

from phems.cli import session
from phems.errors import InputError
from phems.nodespec import load_node, parse_node


def test_a_fresh_node_is_free_of_problems(phems: Phems, tmp_path: Path) -> None:
    """The first two commands that anyone types."""
    assert phems("init", "St Mary").code == 0
    said = phems("check", "--spec-only", "St Mary")
    assert (said.code, said.err) == (0, "")
    assert "no problems (0 projects" in said.out
    assert load_node(tmp_path / "St Mary").node.name == "st-mary"
    assert "/data/" in (tmp_path / "St Mary" / ".gitignore").read_text()
    assert "st-mary" in (tmp_path / "St Mary" / "README.md").read_text()


def with_example(node: Path) -> str:
    """A fresh node.yaml with its commented source and project taken in."""
    head, sources, projects = re.split(
        r"^(?:data_sources|projects): \{\}$", (node / "node.yaml").read_text(), flags=re.MULTILINE
    )
    sources, projects = (re.sub(r"^#  ", "  ", text, flags=re.MULTILINE) for text in (sources, projects))
    return f"{head}data_sources:{sources}projects:{projects}"


def test_what_is_commented_out_in_a_fresh_node_is_valid_when_taken_in(phems: Phems, tmp_path: Path) -> None:
    """Someone who uncomments the example must not be led into errors."""
    phems("init", "n")
    spec = parse_node(with_example(tmp_path / "n"))
    assert spec.projects["heart-attack"].data_grants[0].source == "cohort"


def test_values_shown_in_a_fresh_node_are_the_defaults(phems: Phems, tmp_path: Path) -> None:
    """The comments say `shows the default`: a number that has moved on would be believed."""
    phems("init", "n")
    written = load_node(tmp_path / "n")
    bare = parse_node("version: 1\nnode: {name: n}\ncontroller: {name: c}\npolicies: {default: {}}\n")
    assert written.policies == bare.policies
    assert written.gateway == bare.gateway
    project = parse_node(with_example(tmp_path / "n")).projects["heart-attack"]
    plain = parse_node(
        "version: 1\nnode: {name: n}\ncontroller: {name: c}\nprojects: {heart-attack: {code: {repo: "
        "code/heart-attack}, members: {output_checker: [a, b], information_asset_owner: [c]}}}"
    ).projects["heart-attack"]
    assert (project.code, project.queue, project.resources) == (plain.code, plain.queue, plain.resources)


def test_init_never_overwrites_a_node(phems: Phems, tmp_path: Path) -> None:
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "node.yaml").write_text("mine")
    said = phems("init", "n")
    assert said.code == 2
    assert "never overwritten" in said.err
    assert (tmp_path / "n" / "node.yaml").read_text() == "mine"
    assert not (tmp_path / "n" / ".gitignore").exists()


def test_init_leaves_other_files_as_they_are_and_says_so(phems: Phems, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    said = phems("init", ".", "--name", "here")
    assert said.code == 0
    assert "README.md is there already" in said.err
    assert (tmp_path / "README.md").read_text() == "mine"
    assert load_node(tmp_path).node.name == "here"


def test_init_refuses_a_name_or_place_that_cannot_be(phems: Phems, tmp_path: Path) -> None:
    assert phems("init", "n", "--name", "Not OK").code == 2
    assert not (tmp_path / "n").exists()
    (tmp_path / "file").write_text("")
    said = phems("init", "file")
    assert said.code == 2
    assert "not a folder" in said.err


def test_a_folder_whose_name_is_no_name_still_gets_a_node(phems: Phems, tmp_path: Path) -> None:
    phems("init", "123")
    assert load_node(tmp_path / "123").node.name == "my-node"


def test_check_lists_every_problem_on_a_line_of_its_own(phems: Phems, tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text("version: 1\nnode: {name: A}\ncontroler: {name: b}\n")
    said = phems("check", "--spec-only")
    assert said.code == 2
    lines = said.err.splitlines()
    assert lines[0] == "Error: node.yaml has 3 problems:"
    assert [line.split(" ")[0] for line in lines[1:4]] == ["node.yaml:1:", "node.yaml:2:", "node.yaml:3:"]
    assert lines[-1].startswith("Remedy: ")
    error = phems("check", "--spec-only", "--json").error
    assert [problem["key"] for problem in error["problems"]] == ["controller", "node.name", "controler"]
    assert error["exit_code"] == 2


def test_check_finds_faults_of_the_spec_and_of_the_world_together(phems: Phems, tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text(
        "version: 1\nnode: {name: A}\ncontroller: {name: b}\ndata_sources:\n  x: {path: x.csv, format: csv}\n"
    )
    keys = [problem["key"] for problem in phems("check", "--json").error["problems"]]
    assert set(keys) - {"gateway.port"} == {"node.name", "data_sources.x.path"}
    assert [problem["key"] for problem in phems("check", "--json", "--spec-only").error["problems"]] == [
        "node.name"
    ]


def test_check_without_a_node_says_how_to_make_one(phems: Phems) -> None:
    said = phems("check")
    assert said.code == 3
    assert "phems init" in said.err
    assert phems("check", "nowhere").code == 3


def test_the_schema_is_printed_for_editors(phems: Phems) -> None:
    said = phems("schema")
    assert said.code == 0
    jsonschema.Draft202012Validator.check_schema(said.data)


def test_projects_are_listed(phems: Phems, tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text(
        "version: 1\nnode: {name: a}\ncontroller: {name: b}\nprojects: {heart: {code: {repo: x}, members: "
        "{output_checker: [a, b], information_asset_owner: [c]}}}\n"
    )
    assert "heart" in phems("project", "list").out
    (row,) = phems("project", "list", "--json").data
    assert row["name"] == "heart"
    assert row["output_checkers"] == ["a", "b"]


def test_the_node_is_found_by_option_then_environment_then_folders_upwards(
    phems: Phems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "env", "near"):
        assert phems("init", name).code == 0
    deep = tmp_path / "near" / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)

    def found(*options: str) -> str:
        return str(phems("check", "--spec-only", "--json", *options).data["file"])

    assert found() == str(tmp_path / "near" / "node.yaml")
    monkeypatch.setenv("PHEMS_NODE", str(tmp_path / "env"))
    assert found() == str(tmp_path / "env" / "node.yaml")
    assert found("--node", str(tmp_path / "given")) == str(tmp_path / "given" / "node.yaml")
    assert found("--node", str(tmp_path / "given" / "node.yaml")) == str(tmp_path / "given" / "node.yaml")
    assert phems("--node", tmp_path / "gone", "project", "list").code == 3


def test_an_option_of_one_command_is_forgotten_by_the_next(phems: Phems) -> None:
    phems("init", "n")
    assert phems("--json", "project", "list", "--node", "n").data == []
    assert phems("project", "list", "--node", "n").out == "No projects in node.yaml yet.\n"


def test_who_acts_comes_from_the_option_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    session.begin()
    monkeypatch.delenv("PHEMS_TOKEN", raising=False)
    with pytest.raises(InputError, match="PHEMS_TOKEN"):
        session.token()
    monkeypatch.setenv("PHEMS_TOKEN", "from-environment")
    assert session.token() == "from-environment"
    session._SESSION.set(session.Session(token="given"))
    assert session.token() == "given"
    session.begin()


def test_an_unwritable_place_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    """As an ordinary user, also when the tests run as root."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    locked.chmod(0o555)
    program = (
        "import os, sys\n"
        "from phems.cli.__main__ import main\n"
        # Once as who we are, so that all is imported: others may not read this Python.
        f"main(['init', {str(tmp_path / 'first')!r}])\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"sys.exit(main(['init', {str(locked / 'n')!r}, '--json']))"
    )
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    said = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
        env={**os.environ},
    )
    assert said.returncode == 5, said.stderr
    assert "cannot be used" in json.loads(said.stderr)["error"]["what"]
    assert list(locked.iterdir()) == []
