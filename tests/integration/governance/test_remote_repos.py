"""Code Repos on other machines, over real https: fetched with a token, and trusted in nothing."""

from __future__ import annotations

import os
import shutil
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from tests.certificates import CertificateAuthority
from tests.git_server import GitServer
from tests.integration.governance.governed_site import ANA, IDA, PROJECT, CodeRepo, Site

from phems.adapters import git_mirrors
from phems.adapters.git import GitRepos
from phems.adapters.git_mirrors import GitMirrors
from phems.adapters.git_remote import MIB, RemoteLimits
from phems.adapters.repo_check import repo_fault
from phems.domain.code_revisions import CodeRevisionState
from phems.errors import InputError, RefusedError, UnavailableError
from phems.nodespec import RemoteRepo
from phems.nodespec.code import Remote

TOKEN = "s3cret-of-the-node"
MODULE = "src/heart_attack/definitions.py"


@dataclass
class Elsewhere:
    """The Code Repo as the node sees it, and its server."""

    server: GitServer
    repo: RemoteRepo
    code: CodeRepo
    mirrors: Path

    def repos(self, limits: RemoteLimits | None = None) -> GitRepos:
        return GitRepos(mirrors=GitMirrors(self.mirrors, limits))

    def read(self, repos: GitRepos | None = None) -> str:
        repos = repos or self.repos()
        repos.refresh(self.repo)
        return repos.commit(self.repo, "main", None).commit

    def left(self) -> list[str]:
        """What lies where mirrors are, locks aside."""
        return [item.name for item in self.mirrors.iterdir() if item.suffix != ".lock"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def elsewhere(
    tmp_path: Path, repo: CodeRepo, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Elsewhere]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # a proxy of whoever runs the tests is none for this machine
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "token").chmod(0o600)
    issued = authority.issue("git-server", for_addresses=("127.0.0.1",))
    with GitServer(tmp_path, issued, token=TOKEN) as server:
        remote = Remote(token="file:token", certificate_authority=str(authority.certificate))
        address = server.address(f"{repo.folder.name}/.git")
        found = RemoteRepo(address=address, branch="main", folder=tmp_path, remote=remote)
        yield Elsewhere(server, found, repo, tmp_path / "mirrors")


@pytest.fixture
def fetching(site: Site, elsewhere: Elsewhere) -> Site:
    """The site, whose project's Code Repo is on the server."""
    site.set_rules(repo=elsewhere.repo)
    return site


def test_code_of_a_server_is_submitted_approved_and_synced(fetching: Site, elsewhere: Elsewhere) -> None:
    """Hospitals keep code on a Git server; without this somebody copies mirrors by hand, and late."""
    commit = elsewhere.code.commit({MODULE: "defs = 2\n"})
    assert fetching.code.submit(ANA, PROJECT).commit == commit
    digest = fetching.code.approve(IDA, PROJECT, commit).digest
    assert (fetching.mount.path(PROJECT, digest) / MODULE).read_text() == "defs = 2\n"
    assert all(asked.endswith("with a credential") for asked in elsewhere.server.behaviour.asked)


def test_a_server_that_is_away_lets_nothing_be_approved(fetching: Site, elsewhere: Elsewhere) -> None:
    """Whether the commit is on its branch still cannot be known: then the answer is no."""
    commit = elsewhere.code.commit({MODULE: "defs = 2\n"})
    fetching.code.submit(ANA, PROJECT)
    elsewhere.server.behaviour.token = "another"
    with pytest.raises(UnavailableError, match="cannot be fetched") as refused:
        fetching.code.approve(IDA, PROJECT, commit)
    assert TOKEN not in str(refused.value)
    assert fetching.code.show(IDA, PROJECT, commit).state is CodeRevisionState.SUBMITTED
    assert not list((fetching.folder / "code").glob("*/*"))


def test_a_branch_that_was_forced_elsewhere_takes_its_commits_along(
    fetching: Site, elsewhere: Elsewhere
) -> None:
    """Somebody pushed a mistake, and took it back on the server: it must not be approved from an old copy."""
    commit = elsewhere.code.commit({MODULE: "hostile\n"})
    fetching.code.submit(ANA, PROJECT)
    elsewhere.code.git("reset", "-q", "--hard", "HEAD~1")
    with pytest.raises(RefusedError, match="not on the branch"):
        fetching.code.approve(IDA, PROJECT, commit)


def test_a_commit_of_a_fork_or_of_another_branch_is_not_even_fetched(elsewhere: Elsewhere) -> None:
    """A Git server shows everybody's pull requests beside the project's branch."""
    commit = elsewhere.code.commit({MODULE: "hostile\n"}, email="m@evil.example")
    elsewhere.code.git("update-ref", "refs/pull/7/head", commit)
    elsewhere.code.git("tag", "v1", commit)
    elsewhere.code.git("reset", "-q", "--hard", "HEAD~1")
    repos = elsewhere.repos()
    assert elsewhere.read(repos) == elsewhere.code.git("rev-parse", "HEAD")
    with pytest.raises(InputError, match="has no commit"):
        repos.commit(elsewhere.repo, "main", commit)


def test_the_server_must_be_the_one_that_its_certificate_says(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Anybody on the network could answer in its place, and be shown the token."""
    stranger = CertificateAuthority(tmp_path, "Somebody else's CA")
    remote = elsewhere.repo.remote.model_copy(update={"certificate_authority": str(stranger.certificate)})
    repo = replace(elsewhere.repo, remote=remote)
    with pytest.raises(UnavailableError, match="certificate"):
        elsewhere.repos().refresh(repo)
    assert elsewhere.server.behaviour.asked == []


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(
    elsewhere: Elsewhere, authority: CertificateAuthority, tmp_path: Path
) -> None:
    """A server that was taken over would have the node ask, with its token, what lies inside the hospital."""
    issued = authority.issue("inside", for_addresses=("127.0.0.1",))
    with GitServer(tmp_path, issued) as inside:
        elsewhere.server.behaviour.redirect_to = inside.address("").rstrip("/")
        with pytest.raises(UnavailableError, match=r"redirect|302"):
            elsewhere.read()
        assert inside.behaviour.asked == []


def test_a_repo_that_is_too_large_is_broken_off_and_nothing_of_it_stays(elsewhere: Elsewhere) -> None:
    """Somebody pushed a video, or fills the node's disk on purpose."""
    (elsewhere.code.folder / "large.bin").write_bytes(os.urandom(2 * MIB))
    elsewhere.code.commit({})
    with pytest.raises(InputError, match="too large"):
        elsewhere.read(elsewhere.repos(RemoteLimits(file_size=MIB)))
    assert elsewhere.left() == []


def test_a_repo_that_grew_too_large_keeps_what_was_fetched_before(elsewhere: Elsewhere) -> None:
    before = elsewhere.read()
    (elsewhere.code.folder / "large.bin").write_bytes(os.urandom(2 * MIB))
    elsewhere.code.commit({})
    repos = elsewhere.repos(RemoteLimits(file_size=MIB))
    with pytest.raises(InputError, match="too large"):
        repos.refresh(elsewhere.repo)
    assert repos.commit(elsewhere.repo, "main", None).commit == before
    assert not list(elsewhere.mirrors.rglob("tmp_*"))


def test_a_server_that_hangs_is_left_with_all_its_processes(elsewhere: Elsewhere) -> None:
    """Each try would leave a process behind, until the node has none left."""
    elsewhere.server.behaviour.hangs = threading.Event()
    with pytest.raises(UnavailableError, match="did not answer"):
        elsewhere.read(elsewhere.repos(RemoteLimits(seconds=1.0)))
    left = [child for child in psutil.Process().children(recursive=True) if "remote-https" in child.name()]
    assert left == []


def test_who_waits_for_a_fetch_of_somebody_else_is_told(elsewhere: Elsewhere) -> None:
    """Each would hold a thread of the gateway, until a slow server has them all.

    And while it goes on, no user of the machine finds the token among the processes.
    """
    elsewhere.server.behaviour.hangs = hanging = threading.Event()
    first = threading.Thread(target=elsewhere.read)
    first.start()
    try:
        while not elsewhere.server.behaviour.asked:
            first.join(0.01)
            assert first.is_alive()
        commands = " ".join(" ".join(each.cmdline()) for each in psutil.Process().children(recursive=True))
        assert "fetch" in commands
        assert not any(secret in commands for secret in (TOKEN, b64encode(f"git:{TOKEN}".encode()).decode()))
        with pytest.raises(UnavailableError, match="being fetched already"):
            GitMirrors(elsewhere.mirrors, wait_seconds=0.0).fetch(elsewhere.repo)
    finally:
        hanging.set()
        first.join(30)
    assert elsewhere.left()


def test_a_worn_mirror_is_made_anew(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each push leaves a pack; after a year of them reading would take minutes."""
    monkeypatch.setattr(git_mirrors, "_MOST_PACKS", 2)
    for number in range(4):
        elsewhere.code.commit({MODULE: f"defs = {number}\n"})
        assert elsewhere.read() == elsewhere.code.git("rev-parse", "HEAD")
    (mirror,) = elsewhere.mirrors.glob("*.git")
    assert len(list(mirror.glob("objects/pack/*.pack"))) <= 2
    assert elsewhere.left() == [mirror.name]


def test_who_reads_with_another_token_reads_another_copy(elsewhere: Elsewhere) -> None:
    """A project must not submit from what another project's token brought here."""
    elsewhere.read()
    remote = elsewhere.repo.remote.model_copy(update={"token": None})
    repo = replace(elsewhere.repo, remote=remote)
    with pytest.raises(UnavailableError):
        elsewhere.repos().refresh(repo)
    with pytest.raises(InputError):
        elsewhere.repos().commit(repo, "main", None)


def test_a_token_that_everybody_can_read_is_not_used(elsewhere: Elsewhere) -> None:
    (elsewhere.repo.folder / "token").chmod(0o644)
    with pytest.raises(InputError, match="open to every user") as refused:
        elsewhere.read()
    assert "chmod 600" in refused.value.remedy


def test_a_lost_mirror_is_fetched_again_for_a_diff(fetching: Site, elsewhere: Elsewhere) -> None:
    """A node on a new disk: who is to approve must see what changed all the same."""
    from phems.services.code_diffs import CodeDiffs

    fetching.code.submit(ANA, PROJECT)
    shutil.rmtree(fetching.folder / "mirrors")
    diffs = CodeDiffs(fetching.governance, fetching.repos, fetching.access)
    assert [file.path for file in diffs.diff(IDA, PROJECT, elsewhere.code.git("rev-parse", "HEAD")).files]
    asked = len(elsewhere.server.behaviour.asked)
    diffs.diff(IDA, PROJECT, elsewhere.code.git("rev-parse", "HEAD"))
    assert len(elsewhere.server.behaviour.asked) == asked, "a page that is looked at asks no server"


def test_phems_check_goes_there_as_the_node_does(elsewhere: Elsewhere) -> None:
    """An operator finds out before an analyst does."""

    def fault(**changes: object) -> str:
        repo = replace(elsewhere.repo, **changes)  # type: ignore[arg-type]
        found = repo_fault(repo, branch=repo.branch, root="src", module="x")
        return "" if found is None else f"{found.key}: {found.what}"

    assert fault() == ""
    assert fault(branch="absent") == "branch: there is no branch absent"
    assert fault(remote=Remote(token="file:absent")).startswith("remote: The secret in")
    elsewhere.server.behaviour.token = "another"
    assert fault().startswith("repo: https://127.0.0.1")


def test_where_nothing_can_be_fetched_to_that_is_said(elsewhere: Elsewhere) -> None:
    """A tool that only reads folders is given an address: it must not look for a folder of that name."""
    with pytest.raises(InputError, match="is not on this machine"):
        GitRepos().refresh(elsewhere.repo)
    with pytest.raises(InputError, match="is not on this machine"):
        GitRepos().commit(elsewhere.repo, "main", None)
