"""Git over the network: one Code Repo on another machine, by https or ssh, with what that may cost bounded.

The server is not trusted, nor is what it sends. Git may speak the one protocol of the address, follows no
redirect, asks nobody, runs no hook, filter or helper, takes no configuration but what stands here, and gets
no submodule. It ends when it takes too long, writes a file that is too large, or wants too much memory. The
token is handed over in Git's environment, not on its command line, which every user of the machine can read.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phems.adapters.secret_places import check_private, private_secret_at
from phems.errors import InputError, UnavailableError
from phems.nodespec.code import RemoteRepo

MIB = 1024 * 1024
_OPTIONS = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.bigFileThreshold=64m", "credential.helper="),
    *("http.followRedirects=false", "http.sslVerify=true", "http.lowSpeedLimit=1000", "http.lowSpeedTime=30"),
    *("submodule.recurse=false", "fetch.recurseSubmodules=false", "fetch.fsckObjects=true"),
    *("fetch.unpackLimit=1", "gc.auto=0", "maintenance.auto=false", "pack.threads=1"),
    *("transfer.bundleURI=false", "protocol.allow=never"),
)
_SSH = (
    *("BatchMode=yes", "StrictHostKeyChecking=yes", "UpdateHostKeys=no", "GlobalKnownHostsFile=/dev/null"),
    *("IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey", "ForwardAgent=no"),
    *("ClearAllForwardings=yes", "PermitLocalCommand=no", "ProxyCommand=none", "ControlPath=none"),
    *("ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=3", "LogLevel=ERROR"),
)
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
# Blocks of 512 bytes, as POSIX has it, and kibibytes; no core file, whatever ends it.
_LIMITED = 'ulimit -c 0 && ulimit -f "$1" && ulimit -v "$2" && shift 2 && exec "$@"'
_SAID = 64 * 1024


@dataclass(frozen=True)
class RemoteLimits:
    """What one exchange with a server may cost. Sizes in bytes."""

    seconds: float = 120.0
    file_size: int = 512 * MIB
    memory: int = 4096 * MIB


@dataclass(frozen=True)
class Exchange:
    """How Git ended, what it printed, and what it said of an error, as one line of harmless characters."""

    code: int
    output: str
    said: str


def exchange(
    repo: RemoteRepo, arguments: Sequence[str], *, git_dir: Path | None = None, limits: RemoteLimits
) -> Exchange:
    """Run one Git command that talks to the server of `repo`.

    `UnavailableError` when it takes too long; `InputError` when a secret for it cannot be used.
    """
    at = () if git_dir is None else (f"--git-dir={git_dir}",)
    options = [part for setting in (*_OPTIONS, *_server_options(repo)) for part in ("-c", setting)]
    command = [
        *("/bin/sh", "-c", _LIMITED, "sh", str(limits.file_size // 512), str(limits.memory // 1024)),
        *("git", *at, "--no-pager", *options, *arguments),
    ]
    # Files, not pipes: the limit on the size of files holds for what is said, too.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as said:
        code = _run(command, _environment(repo), (output.fileno(), said.fileno()), repo, limits.seconds)
        output.seek(0)
        said.seek(0)
        return Exchange(code, output.read(_SAID).decode(errors="replace"), _harmless(said.read(_SAID)))


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    sinks: tuple[int, int],
    repo: RemoteRepo,
    seconds: float,
) -> int:
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=sinks[0],
        stderr=sinks[1],
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"{repo} did not answer in {seconds:.0f} s.",
            why="its server, or the network, is too slow.",
            remedy=f"Try it: git ls-remote {repo}",
        ) from error
    finally:
        # Whatever ended the wait, Git's own children must not go on.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _server_options(repo: RemoteRepo) -> Sequence[str]:
    authority = repo.remote.certificate_authority
    return () if authority is None else (f"http.sslCAInfo={_file(repo, authority, 'certificate_authority')}",)


def _environment(repo: RemoteRepo) -> Mapping[str, str]:
    is_https = repo.address.startswith("https://")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "https" if is_https else "ssh",
    }
    if not is_https:
        return {**environment, "GIT_SSH_COMMAND": _ssh(repo), "GIT_SSH_VARIANT": "ssh"}
    environment |= {name: os.environ[name] for name in _PROXIES if name in os.environ}
    token = private_secret_at(repo.remote.token, repo.folder, os.environ, key="code.remote.token")
    if token is not None:
        credentials = base64.b64encode(f"{repo.remote.username}:{token}".encode()).decode()
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
        }
    return environment


def _ssh(repo: RemoteRepo) -> str:
    """What Git is to call for ssh: with the node's key, to the server it knows, and no other way."""
    remote = repo.remote
    if remote.ssh_key is None or remote.known_hosts is None:
        raise InputError(
            f"The node has no key for {repo}.",
            why="an ssh address needs code.remote.ssh_key and code.remote.known_hosts in node.yaml.",
        )
    key = _file(repo, remote.ssh_key, "ssh_key")
    check_private(key)
    known = _file(repo, remote.known_hosts, "known_hosts")
    files = (f"IdentityFile={_quoted(key)}", f"UserKnownHostsFile={_quoted(known)}")
    return shlex.join(["ssh", "-F", "/dev/null", *(f"-o{option}" for option in (*_SSH, *files))])


def _quoted(path: Path) -> str:
    """A path as ssh reads it in an option: with spaces it would be two, and % stands for something."""
    return '"' + str(path).replace("%", "%%") + '"'


def _file(repo: RemoteRepo, written: str, key: str) -> Path:
    path = Path(os.path.normpath(repo.folder / written))
    if not path.is_file():
        raise InputError(
            f"{path} does not exist.",
            why=f"node.yaml names it as code.remote.{key}, for {repo}.",
            remedy="Put it there, or correct the path in node.yaml.",
        )
    return path


def _harmless(said: bytes) -> str:
    """What Git says of an error, without what a server could put in to move a cursor or forge a line."""
    lines = [
        "".join(c for c in line if c.isprintable()) for line in said.decode(errors="replace").splitlines()
    ]
    told = [
        line.removeprefix("fatal: ").removeprefix("error: ")
        for line in lines
        if line.strip() and not line.startswith("hint:")
    ]
    return "; ".join(told)[:500]
