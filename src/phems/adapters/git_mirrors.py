"""What the node has fetched of Code Repos on other machines: a bare repository for each, of one branch.

Nothing is checked out, and nothing in a mirror counts by itself: what is read from it is hashed, and held
against what was approved, as with a folder.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from phems.adapters.files.disk import disk_errors, remove_tree
from phems.adapters.git_remote import MIB, Exchange, RemoteLimits, exchange
from phems.domain.canonical import digest
from phems.errors import InputError, UnavailableError
from phems.nodespec.code import RemoteRepo

# Each fetch brings a pack, and what a forced push left behind stays: past these a mirror is made anew.
_MOST_PACKS = 64
_LARGEST = 1024 * MIB
_WAIT_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.1
_CHUNK = 64 * 1024


class GitMirrors:
    """Fetches into folders below `root`."""

    def __init__(
        self, root: Path, limits: RemoteLimits | None = None, *, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self._root = root
        self._limits = limits or RemoteLimits()
        self._wait_seconds = wait_seconds

    def folder(self, repo: RemoteRepo) -> Path:
        """Where a mirror lies. Who reads with another token has another: it may be shown less."""
        remote = repo.remote.model_dump(mode="json")
        name = digest({"address": repo.address, "branch": repo.branch, "remote": remote})[:32]
        return self._root / f"{name}.git"

    def fetch(self, repo: RemoteRepo) -> None:
        """Bring the mirror in step with the branch, where a forced push may have moved it anywhere.

        `InputError` when there is no such repo or branch, or it is too large; `UnavailableError` when its
        server does not answer in time.
        """
        folder = self.folder(repo)
        with disk_errors("The Code Repo could not be fetched", self._root), self._alone(repo, folder):
            if folder.is_dir() and not _is_worn(folder):
                self._fetch_into(repo, folder)
            else:
                self._make(repo, folder)

    def _make(self, repo: RemoteRepo, folder: Path) -> None:
        """A fresh mirror, in the place of what is there: whole or not at all."""
        staging = Path(mkdtemp(prefix=".tmp-", dir=self._root))
        try:
            fresh = staging / "mirror"
            _init(fresh)
            self._fetch_into(repo, fresh)
            if _size(fresh) > _LARGEST:
                raise _too_large(repo, self._limits)
            if folder.is_dir():
                folder.rename(staging / "worn")
            fresh.rename(folder)
        finally:
            remove_tree(staging)

    def _fetch_into(self, repo: RemoteRepo, folder: Path) -> None:
        reference = f"refs/heads/{repo.branch}"
        found = exchange(
            repo,
            [
                *("fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head"),
                *("--no-recurse-submodules", "--no-auto-maintenance"),
                *("--", repo.address, f"+{reference}:{reference}"),
            ],
            git_dir=folder,
            limits=self._limits,
        )
        if found.code:
            # The kernel kills Git when it writes more, without a word of why; but its file has that size.
            left = list(folder.glob("objects/pack/tmp_*"))
            is_full = any(file.stat().st_size > self._limits.file_size - _CHUNK for file in left)
            for file in left:
                file.unlink()
            raise _too_large(repo, self._limits) if is_full else self._refused(repo, found)

    def _refused(self, repo: RemoteRepo, found: Exchange) -> InputError | UnavailableError:
        if "couldn't find remote ref" in found.said:
            return InputError(
                f"The Code Repo {repo} has no branch '{repo.branch}'.",
                why="`code.branch` in node.yaml names the only branch whose commits can be submitted.",
                remedy="Push it, or correct `code.branch` in node.yaml.",
            )
        return UnavailableError(
            f"The Code Repo {repo} cannot be fetched.",
            why=f"Git says: {found.said or 'nothing'}",
            remedy="An operator finds out with: phems check",
        )

    @contextmanager
    def _alone(self, repo: RemoteRepo, folder: Path) -> Iterator[None]:
        """One at a time fetches a repo. Others wait a little: a server that hangs must not hold them all."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + self._wait_seconds
        with folder.with_suffix(".lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise UnavailableError(
                            f"The Code Repo {repo} is being fetched already.",
                            why="its server is slow.",
                            remedy="Try again in a minute.",
                        ) from None
                    time.sleep(_LOOK_AGAIN_SECONDS)
            yield


def _init(folder: Path) -> None:
    if shutil.which("git") is None:
        raise UnavailableError(
            "Git is not installed.",
            why="code revisions are read from Git repositories.",
            remedy="Install it (as root: apt-get install git).",
        )
    folder.mkdir()
    (folder / "objects").mkdir()
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")


def _is_worn(folder: Path) -> bool:
    packs = sum(1 for _ in folder.glob("objects/pack/*.pack"))
    return packs > _MOST_PACKS or _size(folder) > _LARGEST


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*"))


def _too_large(repo: RemoteRepo, limits: RemoteLimits) -> InputError:
    return InputError(
        f"The Code Repo {repo} is too large.",
        why=f"what is fetched of it at once may have {limits.file_size // MIB} MiB, and all of it "
        f"{_LARGEST // MIB} MiB.",
        remedy="Keep data and build results out of it, also out of its history.",
    )
