"""Code Repos over ssh, by a real sshd: with the node's key, to the server that is known, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.governance.governed_site import CodeRepo
from tests.ssh_server import SshServer

from phems.adapters.git import GitRepos
from phems.adapters.git_mirrors import GitMirrors
from phems.errors import InputError, UnavailableError
from phems.nodespec import RemoteRepo
from phems.nodespec.code import Remote


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    # A space in the path: ssh would read two.
    folder = tmp_path_factory.mktemp("ssh") / "with a space"
    folder.mkdir()
    with SshServer(folder) as started:
        yield started


@pytest.fixture
def remote(server: SshServer, repo: CodeRepo) -> RemoteRepo:
    keys = Remote(ssh_key="node", known_hosts="known_hosts")
    return RemoteRepo(address=server.address(repo.folder), branch="main", folder=server.folder, remote=keys)


@pytest.fixture
def repos(tmp_path: Path) -> GitRepos:
    return GitRepos(mirrors=GitMirrors(tmp_path / "mirrors"))


def changed(remote: RemoteRepo, **changes: str) -> RemoteRepo:
    return replace(remote, remote=remote.remote.model_copy(update=changes))


def test_a_branch_is_fetched_with_the_nodes_key(repos: GitRepos, remote: RemoteRepo, repo: CodeRepo) -> None:
    repos.refresh(remote)
    assert repos.commit(remote, "main", None).commit == repo.git("rev-parse", "HEAD")


def test_a_server_with_another_key_is_not_spoken_to(
    repos: GitRepos, remote: RemoteRepo, server: SshServer
) -> None:
    """Whoever stands in between has a key too: it must not be learnt, as a person at a keyboard would."""
    kind, public, *_ = (server.folder / "node.pub").read_text().split()
    other = server.folder / "other_hosts"
    for known in (f"[127.0.0.1]:{server.port} {kind} {public}\n", "# nobody yet\n"):
        other.write_text(known)
        with pytest.raises(UnavailableError, match="ost key"):
            repos.refresh(changed(remote, known_hosts="other_hosts"))
        assert other.read_text() == known


def test_another_key_is_not_let_in_and_none_is_borrowed(
    repos: GitRepos, remote: RemoteRepo, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent or a key of whoever started the node would open what was never meant for this project."""
    stranger = server.folder / "host"  # a key that the server does not let in
    monkeypatch.setenv("HOME", str(server.folder))
    with pytest.raises(UnavailableError, match="Permission denied"):
        repos.refresh(changed(remote, ssh_key=str(stranger)))


def test_a_key_that_everybody_can_read_or_that_is_not_there_is_told(
    repos: GitRepos, remote: RemoteRepo, server: SshServer
) -> None:
    open_key = server.folder / "open"
    open_key.write_bytes(server.key.read_bytes())
    open_key.chmod(0o644)
    with pytest.raises(InputError, match="open to every user"):
        repos.refresh(changed(remote, ssh_key="open"))
    with pytest.raises(InputError, match="does not exist") as refused:
        repos.refresh(changed(remote, known_hosts="absent"))
    assert "code.remote.known_hosts" in refused.value.why
