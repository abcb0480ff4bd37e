"""Whether a Code Repo can be used: it is there, has the branch, and the branch has the module.

Asks git alone, with prompts, hooks and the search in folders above switched off. Of a repo elsewhere
only the branch is asked for, as the node goes there itself: nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from phems.adapters.git_remote import RemoteLimits, exchange
from phems.errors import PhemsError
from phems.nodespec.code import RemoteRepo

ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RepoFault:
    """Why code cannot be taken from a repo; `key` is the key of `code:` that is to blame."""

    key: str
    what: str
    why: str
    remedy: str

    @property
    def texts(self) -> tuple[str, str, str]:
        return self.what, self.why, self.remedy


def repo_fault(repo: Path | RemoteRepo, *, branch: str, root: str, module: str) -> RepoFault | None:
    """What is wrong with a Code Repo, a folder or an address; `None` when nothing is."""
    if shutil.which("git") is None:
        return RepoFault("repo", "cannot be read", "git is not installed", "apt-get install git")
    try:
        if isinstance(repo, RemoteRepo):
            return _remote_fault(repo)
        return _folder_fault(repo, branch, root, module)
    except subprocess.TimeoutExpired:
        why = f"git did not answer in {ANSWER_SECONDS:.0f} s"
        return RepoFault("repo", f"{repo} cannot be reached", why, f"git ls-remote {repo}")


def _folder_fault(repo: Path, branch: str, root: str, module: str) -> RepoFault | None:
    if not repo.is_dir():
        what = f"{repo} is not a folder" if repo.exists() else f"{repo} does not exist"
        return RepoFault("repo", what, "the project's code comes from it", f"git clone ADDRESS {repo}")
    found = _git(repo, "rev-parse", "--git-dir")
    if found.returncode:
        return RepoFault("repo", f"{repo} is not a Git repo", _said(found), f"git -C {repo} init -b {branch}")
    if _git(repo, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}").returncode:
        names = _git(repo, "for-each-ref", "--format=%(refname:short)", "refs/heads").stdout.split()
        return RepoFault(
            "branch",
            f"there is no branch {branch}",
            f"{repo} has {', '.join(names[:10]) or 'no commits yet'}",
            f"git -C {repo} branch {branch}, or write another" if names else f"git -C {repo} commit",
        )
    return _module_fault(repo, branch, root, module)


def _remote_fault(repo: RemoteRepo) -> RepoFault | None:
    try:
        found = exchange(
            repo,
            ("ls-remote", "--heads", "--", repo.address, f"refs/heads/{repo.branch}"),
            limits=RemoteLimits(seconds=ANSWER_SECONDS),
        )
    except PhemsError as error:
        return RepoFault("remote", error.what, error.why, error.remedy)
    if found.code:
        return RepoFault("repo", f"{repo} cannot be read", found.said, f"git ls-remote {repo}")
    if not found.output.strip():
        return RepoFault(
            "branch", f"there is no branch {repo.branch}", f"{repo} has others", f"git ls-remote {repo}"
        )
    return None


def _module_fault(repo: Path, branch: str, root: str, module: str) -> RepoFault | None:
    folder = str(PurePosixPath(root))
    if folder != "." and _kind(repo, branch, folder) != "tree":
        return RepoFault(
            "root",
            f"there is no folder {root}",
            f"branch {branch} of {repo} has none",
            'correct it, or write "." for the whole repo',
        )
    path = PurePosixPath(root, *module.split("."))
    files = (f"{path}.py", f"{path}/__init__.py")
    if not any(_kind(repo, branch, str(PurePosixPath(file))) == "blob" for file in files):
        return RepoFault(
            "module",
            f"there is no module {module}",
            f"branch {branch} of {repo} has neither {files[0]} nor {files[1]}",
            "commit it, or correct code.module and code.root",
        )
    return None


def _kind(repo: Path, branch: str, path: str) -> str:
    return _git(repo, "cat-file", "-t", f"refs/heads/{branch}:{path}").stdout.strip()


def _git(repo: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
    # A folder inside some other checkout is not a repo of its own.
    environment["GIT_CEILING_DIRECTORIES"] = str(repo.resolve().parent)
    at = ("-C", str(repo.resolve()))
    return subprocess.run(
        ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *at, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=ANSWER_SECONDS,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def _said(found: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in found.stderr.splitlines() if line.strip()]
    return lines[0].removeprefix("fatal: ")[:200] if lines else f"git left with {found.returncode}"
