"""A node.yaml that is no node spec: said line by line, and nothing is started or written."""

from __future__ import annotations

from pathlib import Path

import pytest
from typed_commands import Phems, everything_below, free_port

ROWS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
GOOD = "version: 1\nnode: {name: small}\ncontroller: {name: Small Hospital}\n"

BAD: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "no YAML": (b"node: [a\n  b: }\n", ("node.yaml:",)),
    "a tab": (b"node:\n\tname: x\n", ("node.yaml:2",)),
    "empty": (b"", ("node.yaml",)),
    "a list": (b"- a\n- b\n", ("node.yaml",)),
    "not text": (b"\xff\xfe\x00\x01\x9f", ("node.yaml", "UTF-8")),
    "unknown key": (GOOD.encode() + b"projekts: {}\n", ("node.yaml:4", "projekts")),
    "a key twice": (GOOD.encode() + b"version: 1\n", ("version",)),
    "wrong type": (GOOD.replace("version: 1", "version: one").encode(), ("node.yaml:1", "version")),
    "bad name": (GOOD.replace("small", "Small Node!").encode(), ("node.name",)),
    "bad port": (GOOD.encode() + b"gateway: {port: 99999}\n", ("gateway.port",)),
    "a bomb of aliases": (ROWS.encode() + GOOD.encode(), ("node.yaml",)),
    "a tag that makes objects": (
        GOOD.encode() + b"title: !!python/object/apply:os.system [id]\n",
        ("node.yaml",),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_said_where_and_what_to_do(phems: Phems, folder: Path, name: str) -> None:
    """Otherwise a typing mistake would be a puzzle, or half a node."""
    content, words = BAD[name]
    (folder / "node.yaml").write_bytes(content)
    for verb in ("check", "serve", "status"):
        said = phems(folder, verb, seconds=30)
        assert said.code == 2, f"{verb}: {said}"
        said.is_clear(2, *words)
    assert everything_below(folder) == ["node.yaml"]


def test_all_that_is_wrong_is_said_at_once(phems: Phems, folder: Path) -> None:
    """Otherwise a person would mend and try, mend and try."""
    (folder / "node.yaml").write_text(
        GOOD + "projekts: {}\ngateway: {port: 99999}\nroles: {operator: olga}\nprofile: cloud\n"
    )
    said = phems(folder, "check")
    said.is_clear(2, "projekts", "gateway.port", "roles.operator", "profile")


def test_no_node_there(phems: Phems, folder: Path) -> None:
    """Otherwise a wrong folder would become a node."""
    for verb in ("check", "serve", "status"):
        said = phems(folder / "nowhere", verb)
        assert said.code in {2, 3}, said
        said.is_clear(said.code, "nowhere")
    assert everything_below(folder) == []


CLUSTERED = """\
profile: kubernetes
database: {url: "env:ABSENT"}
broker: {url: "amqp://127.0.0.1:5672", management: "http://127.0.0.1:15672"}
kubernetes: {image: "registry.example/p@sha256:%s"}
""" % ("0" * 64)


def test_a_node_for_a_cluster_that_has_nothing_of_it_here(phems: Phems, folder: Path) -> None:
    """Otherwise a node for a cluster would start on a laptop and look right."""
    (folder / "node.yaml").write_text(GOOD + CLUSTERED)
    said = phems(folder, "serve", "--port", str(free_port()))
    said.is_clear(said.code, "ABSENT")
    assert said.code in {2, 5}
