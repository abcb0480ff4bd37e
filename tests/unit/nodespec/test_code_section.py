"""Where a project's code comes from: addresses that a program would misread, secrets in the wrong place."""

from __future__ import annotations

from pathlib import Path

import pytest

from phems.errors import InputError
from phems.nodespec import NodeSpec, RemoteRepo, node_paths, parse_node
from phems.nodespec.governed import contents_of, in_force

HEAD = "version: 1\nnode: {name: n}\ncontroller: {name: c}\n"
PROJECT = "projects: {heart: {code: {%s}, members: {output_checker: [a, b], information_asset_owner: [c]}}}\n"
SSH = "remote: {ssh_key: keys/id, known_hosts: keys/known}"
HTTPS = "repo: 'https://git.example/heart.git'"


def spec(code: str) -> NodeSpec:
    return parse_node(HEAD + PROJECT % code)


def repo(code: str) -> Path | RemoteRepo:
    found = spec(code)
    return node_paths(found, Path("/node")).code_repo(found.projects["heart"].code)


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("repo: code/x", Path("/node/code/x")),
        ("repo: ../x", Path("/x")),
        ("repo: 'file:///srv/a%20b.git'", Path("/srv/a b.git")),
    ],
)
def test_a_folder_is_read_where_it_is(code: str, place: Path) -> None:
    assert repo(code) == place


def test_what_is_fetched_lies_with_what_the_node_writes() -> None:
    """Beside it, a backup of the data folder would miss it, or a read-only Node Repo refuse it."""
    assert node_paths(spec("repo: x"), Path("/node")).code_mirrors == Path("/node/data/mirrors")


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example/heart.git",
        "https://git.example:8443/group/heart",
        "https://[2001:db8::1]/x.git",
        "ssh://git@git.example:2222/x.git",
        "ssh://git.example/x.git",
        "git@git.example:group/heart.git",
    ],
)
def test_an_address_is_read_over_the_network(address: str) -> None:
    found = repo(f"repo: '{address}', branch: released" + ("" if address[0] == "h" else f", {SSH}"))
    assert isinstance(found, RemoteRepo)
    assert (str(found), found.branch, found.folder) == (address, "released", Path("/node"))


@pytest.mark.parametrize(
    "address",
    [
        "https://me:secret@git.example/x.git",
        "https://token@git.example/x.git",
        "https://git.example/x.git?token=secret",
        "https://git.example/x#y",
        "https://git.example",
        "https:///x.git",
        "https://-oProxyCommand=x/x.git",
        "ssh://-oProxyCommand=touch/x.git",
        "ssh://git:secret@git.example/x.git",
        "ssh://git@-oProxyCommand=x/x",
        "git@-oProxyCommand=x:y",
        "-git@git.example:y",
        "git@git.example:-y",
    ],
)
def test_an_address_with_a_secret_or_that_ssh_would_read_as_an_option_is_refused(address: str) -> None:
    """node.yaml lies in Git; and `ssh -oProxyCommand=...` runs what it is told."""
    with pytest.raises(InputError, match="not the address of a Git repo"):
        spec(f"repo: '{address}', {SSH}")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("repo: x, remote: {token: 'env:T'}", "remote has token"),
        ("repo: x, remote: {known_hosts: k}", "remote has known_hosts"),
        (f"{HTTPS}, remote: {{ssh_key: k}}", "remote has ssh_key"),
        ("repo: 'git@git.example:x', remote: {certificate_authority: k}", "remote has certificate_authority"),
        ("repo: 'git@git.example:x'", "remote has no ssh_key"),
        ("repo: 'git@git.example:x', remote: {ssh_key: k}", "remote has no known_hosts"),
        (f"{HTTPS}, remote: {{token: secret}}", "the secret stands in node.yaml"),
        ("repo: x, webhook_secret: secret", "the secret stands in node.yaml"),
    ],
)
def test_what_does_not_belong_to_the_address_is_told(code: str, said: str) -> None:
    """A key for ssh beside an https address is never used, and somebody relies on it."""
    with pytest.raises(InputError, match=said):
        spec(code)


def test_the_files_beside_node_yaml_are_named_for_who_brings_them() -> None:
    """A container or a pod without them could not fetch."""
    https = spec(f"{HTTPS}, remote: {{token: 'file:t', certificate_authority: ca}}, webhook_secret: 'file:w'")
    assert https.projects["heart"].code.files == ("t", "w", "ca")
    assert spec(f"{HTTPS}, webhook_secret: 'env:W'").projects["heart"].code.files == ()
    ssh = spec(f"repo: 'git@git.example:x', {SSH}")
    assert ssh.projects["heart"].code.files == ("keys/id", "keys/known")


def test_what_is_declared_for_one_server_is_not_shown_to_another() -> None:
    """Another address waits for a second person; the server in force meanwhile must not get the new token."""
    before = spec(HTTPS)
    declared = spec("repo: 'https://other.example/heart.git', remote: {token: 'env:NEW'}")
    code = in_force(declared, contents_of(before)).projects["heart"].code
    assert (code.repo, code.remote.token) == ("https://git.example/heart.git", None)
    code = in_force(declared, contents_of(declared)).projects["heart"].code
    assert code.remote.token == "env:NEW"
