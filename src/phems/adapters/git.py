"""Reads commits of Code Repos with Git's plumbing, so that nothing of a repository ever runs.

A Code Repo is untrusted: its hooks, its configuration and its objects were written by project
people. Therefore: only `rev-parse`, `merge-base`, `ls-tree` and `cat-file` are called, which run no
hook, filter, pager or helper; the network is off (a repo on another machine is fetched before, see
`git_mirrors`); replacement objects, grafts and the configuration
of the system and the user are ignored; and what a commit *is* is decided by the SHA-256 of the bytes
read here, not by Git's object names.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from phems.adapters.git_mirrors import GitMirrors
from phems.domain.digests import MODES, check_tree_paths
from phems.errors import InputError, RefusedError, UnavailableError
from phems.nodespec.code import RemoteRepo
from phems.services.ports.code_repos import Commit, TreeFile

_COMMIT_NAME = re.compile(r"[0-9a-f]{7,64}\Z")
_SECONDS = 60
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_TREE_REMEDY = "Remove it in the Code Repo, commit, and submit the new commit."

_ENVIRONMENT = {
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_ALLOW_PROTOCOL": "",
}
_RESOLVE = ("rev-parse", "--verify", "--quiet", "--end-of-options")
_CONFIGURATION = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never")


@dataclass(frozen=True)
class TreeLimits:
    """How large a code revision may be. Sizes in bytes."""

    files: int = 20_000
    file_size: int = 64 * 1024 * 1024
    total_size: int = 512 * 1024 * 1024


class GitRepos:
    """The port `CodeRepos` over folders with a Git repository, bare or with a work tree, and over mirrors."""

    def __init__(self, limits: TreeLimits | None = None, mirrors: GitMirrors | None = None) -> None:
        self._limits = limits or TreeLimits()
        self._mirrors = mirrors

    def refresh(self, repo: Path | RemoteRepo, *, wanted: str | None = None) -> None:
        """See the port."""
        if isinstance(repo, Path):
            return
        mirrors, folder = self._elsewhere(repo)
        is_here = (
            wanted is not None and folder.is_dir() and _try(folder, "cat-file", "-e", wanted) is not None
        )
        if not is_here:
            mirrors.fetch(repo)

    def commit(self, repo: Path | RemoteRepo, branch: str, commit: str | None) -> Commit:
        """See the port."""
        folder, at = self._folder(repo), _words(repo)
        tip = self._tip(folder, repo, branch)
        name = tip if commit is None else self._full_name(folder, repo, commit)
        if name != tip and not self._is_ancestor(folder, name, tip):
            raise RefusedError(
                f"The commit {name[:12]} is not on the branch '{branch}' of {repo}.",
                why="only commits reachable from the project's branch can be submitted.",
                remedy=f"Merge it first: {at} merge {name[:12]} (on '{branch}'), then submit again.",
            )
        raw = _run(folder, "cat-file", "commit", name)
        return _parse_commit(name, raw)

    @contextmanager
    def files(self, repo: Path | RemoteRepo, commit: str) -> Iterator[Iterator[TreeFile]]:
        """See the port."""
        folder = self._folder(repo)
        rows = self._tree(folder, commit)
        with _start(folder, "cat-file", "--batch") as process:
            try:
                yield self._contents(folder, process, rows)
            finally:
                process.kill()

    def _folder(self, repo: Path | RemoteRepo) -> Path:
        return repo if isinstance(repo, Path) else self._elsewhere(repo)[1]

    def _elsewhere(self, repo: RemoteRepo) -> tuple[GitMirrors, Path]:
        if self._mirrors is None:
            raise InputError(
                f"The Code Repo {repo} is not on this machine.",
                why="there is no place here for what is fetched of it.",
                remedy="Name a folder as `code.repo` in node.yaml.",
            )
        return self._mirrors, self._mirrors.folder(repo)

    def _tip(self, folder: Path, repo: Path | RemoteRepo, branch: str) -> str:
        answer = _try(folder, *_RESOLVE, f"refs/heads/{branch}^{{commit}}")
        if answer is None:
            raise InputError(
                f"The Code Repo {repo} has no branch '{branch}'.",
                why="`code.branch` in node.yaml names the only branch whose commits can be submitted.",
                remedy=f"Create it ({_words(repo)} branch {branch}), or correct `code.branch` in node.yaml.",
            )
        return answer.decode().strip()

    def _full_name(self, folder: Path, repo: Path | RemoteRepo, commit: str) -> str:
        if not _COMMIT_NAME.match(commit):
            raise InputError(
                f"{commit!r} is not the name of a commit.",
                why="a commit is named by at least 7 of its hexadecimal characters, in lower case.",
                remedy=f"List commits with: {_words(repo)} log --oneline",
            )
        answer = _try(folder, *_RESOLVE, f"{commit}^{{commit}}")
        if answer is None:
            raise InputError(
                f"The Code Repo {repo} has no commit {commit}.",
                why="no commit, or more than one, begins with these characters.",
                remedy=f"List commits with: {_words(repo)} log --oneline",
            )
        return answer.decode().strip()

    def _is_ancestor(self, repo: Path, commit: str, tip: str) -> bool:
        return _try(repo, "merge-base", "--is-ancestor", commit, tip) is not None

    def _tree(self, repo: Path, commit: str) -> list[tuple[str, str, str]]:
        """The tree as (path, mode, object) rows, refused when anything but regular files is in it."""
        listing = _run(repo, "ls-tree", "-r", "-z", "--full-tree", commit)
        rows = [_parse_row(row) for row in listing.split(b"\0") if row]
        if len(rows) > self._limits.files:
            raise InputError(
                f"The commit {commit[:12]} has {len(rows):,} files.",
                why=f"a code revision may have {self._limits.files:,}.",
                remedy="Keep data and build results out of the Code Repo.",
            )
        check_tree_paths(path for path, _, _ in rows)
        return rows

    def _contents(
        self, repo: Path, process: subprocess.Popen[bytes], rows: list[tuple[str, str, str]]
    ) -> Iterator[TreeFile]:
        total = 0
        for path, mode, name in rows:
            content = self._blob(repo, process, path, name)
            total += len(content)
            if total > self._limits.total_size:
                raise _too_large("The code revision", total, self._limits.total_size)
            if content.startswith(_LFS_POINTER):
                raise InputError(
                    f"{path!r} in the code revision is a pointer of Git LFS.",
                    why="what it points to lies elsewhere: nobody would review it, no step would find it.",
                    remedy=_TREE_REMEDY,
                )
            yield TreeFile(path, mode, content)

    def _blob(self, repo: Path, process: subprocess.Popen[bytes], path: str, name: str) -> bytes:
        source, sink = process.stdout, process.stdin
        if source is None or sink is None:  # pragma: no cover - both are pipes, see _start
            raise UnavailableError("Git was started without pipes.")
        try:
            sink.write(name.encode() + b"\n")
            sink.flush()
        except BrokenPipeError as error:
            raise _unreadable(repo, path) from error
        header = source.readline().split()
        if len(header) != 3 or header[1] != b"blob":  # noqa: PLR2004 - name, type, size
            raise _unreadable(repo, path)
        size = int(header[2])
        if size > self._limits.file_size:
            raise _too_large(f"The file {path!r} of the code revision", size, self._limits.file_size)
        return _exactly(source, size + 1, repo, path)[:-1]


def _parse_row(row: bytes) -> tuple[str, str, str]:
    attributes, _, raw_path = row.partition(b"\t")
    mode, kind, name = attributes.decode().split()
    try:
        path = raw_path.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"The path {raw_path!r} of the code revision is refused.",
            why="it is not UTF-8.",
            remedy=_TREE_REMEDY,
        ) from error
    mode = "100644" if mode == "100664" else mode  # group-writable files, written by old versions of Git
    if kind != "blob" or mode not in MODES:
        thing = {"160000": "a submodule", "120000": "a symbolic link"}.get(mode, f"of mode {mode}")
        raise InputError(
            f"{path!r} in the code revision is {thing}.",
            why="only regular files can be approved: anything else can point outside of what was reviewed.",
            remedy=_TREE_REMEDY,
        )
    return path, mode, name


def _parse_commit(name: str, raw: bytes) -> Commit:
    head, _, message = raw.decode(errors="replace").partition("\n\n")
    author = next((line[7:] for line in head.splitlines() if line.startswith("author ")), "")
    author_name, _, rest = author.partition("<")
    subject = next(iter(message.strip().splitlines()), "")
    printable = "".join(character for character in subject if character.isprintable())
    return Commit(name, printable[:200], author_name.strip(), rest.partition(">")[0].strip())


def _exactly(source: IO[bytes], size: int, repo: Path, path: str) -> bytes:
    content = source.read(size)
    if len(content) != size:
        raise _unreadable(repo, path)
    return content


def _unreadable(repo: Path, path: str) -> InputError:
    return InputError(
        f"The file {path!r} of the code revision cannot be read from {repo}.",
        why="the object is missing or damaged.",
        remedy=f"Check the Code Repo with: git -C {repo} fsck",
    )


def _too_large(thing: str, size: int, limit: int) -> InputError:
    return InputError(
        f"{thing} is too large.",
        why=f"it has {size:,} bytes; the limit is {limit:,}.",
        remedy="Keep data and build results out of the Code Repo.",
    )


def _words(repo: Path | RemoteRepo) -> str:
    """Git as a person types it: in the folder, or in a clone of their own."""
    return f"git -C {repo}" if isinstance(repo, Path) else "git"


def _git_folder(repo: Path) -> Path:
    """The repository's own folder. Given explicitly, Git asks neither who owns it nor looks further up."""
    inner = repo / ".git"
    for candidate in (inner, repo):
        if inner.is_file() or (candidate / "HEAD").is_file():
            return inner if inner.is_file() else candidate
    raise InputError(
        f"There is no Git repository at {repo}.",
        why="`code.repo` in node.yaml must name a folder with a repository, bare or with a work tree.",
        remedy=f"Create it (git init -b main {repo}, then commit), or correct `code.repo` in node.yaml.",
    )


def _environment() -> dict[str, str]:
    """The node's own PATH, to find Git, and nothing else of the node's environment."""
    return {**_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)}


def _command(repo: Path, arguments: tuple[str, ...]) -> list[str]:
    options = [part for setting in _CONFIGURATION for part in ("-c", setting)]
    return ["git", f"--git-dir={_git_folder(repo)}", "--no-pager", *options, *arguments]


def _try(repo: Path, *arguments: str) -> bytes | None:
    """The command's output; None when Git answers no."""
    try:
        done = subprocess.run(
            _command(repo, arguments),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise _no_git() from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"Git did not answer within {_SECONDS} s about {repo}.",
            why="the repository or its disk is too slow.",
            remedy=f"Try: git -C {repo} fsck; git -C {repo} gc",
        ) from error
    return done.stdout if done.returncode == 0 else None


def _run(repo: Path, *arguments: str) -> bytes:
    answer = _try(repo, *arguments)
    if answer is None:
        raise InputError(
            f"The Code Repo {repo} cannot be read.",
            why=f"`git {arguments[0]}` failed on it.",
            remedy=f"Check it with: git -C {repo} fsck",
        )
    return answer


def _start(repo: Path, *arguments: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            _command(repo, arguments),
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise _no_git() from error


def _no_git() -> UnavailableError:
    return UnavailableError(
        "Git is not installed.",
        why="code revisions are read from Git repositories.",
        remedy="Install it (as root: apt-get install git).",
    )
