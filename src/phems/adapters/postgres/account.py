"""The system account that Postgres runs under, for it refuses to run as root.

Not root: the node's own account. As root: the owner of the database's folder when there is one, otherwise
an account without a password or a shell, made once. It gets no right but to read what lies on its way:
when a parent of the folder is closed to it (a checkout in /root, say), Postgres is started with the one
capability CAP_DAC_READ_SEARCH (or CAP_DAC_OVERRIDE where that is not to be had, as in most containers)
rather than by opening folders that are not the node's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phems.errors import UnavailableError

ACCOUNT = "phems-postgres"

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs Postgres, and the words to put before a command so that it runs as them."""

    uid: int
    gid: int
    capability: str | None = None

    def command(self, arguments: Sequence[str | Path]) -> list[str]:
        """The command line that runs `arguments` as this account."""
        plain = [str(argument) for argument in arguments]
        if self.capability is None:
            return plain
        only = f"-all,+{self.capability}"
        identity = ["--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups", "--no-new-privs"]
        return [
            "setpriv",
            *identity,
            "--inh-caps",
            only,
            "--ambient-caps",
            only,
            "--bounding-set",
            only,
            *plain,
        ]

    def options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess`: a clean environment, and this account when we are root."""
        options: dict[str, Any] = {"env": ENVIRONMENT, "cwd": "/", "stdin": subprocess.DEVNULL}
        if os.geteuid() == 0 and self.capability is None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def reaches(self, path: Path) -> bool:
        """Whether this account can read `path` and pass through it."""
        tried = subprocess.run(
            self.command(["/bin/sh", "-c", 'test -r "$0" && test -x "$0"', path]),
            check=False,
            capture_output=True,
            **self.options(),
        )
        return tried.returncode == 0


def account_for(folder: Path, *, must_reach: Sequence[Path]) -> Account:
    """The account that owns `folder` (it may not exist yet) and can reach each of `must_reach`."""
    if os.geteuid() != 0:
        return Account(os.getuid(), os.getgid())
    owner = _owner(folder)
    for capability in (None, "dac_read_search", "dac_override"):
        if capability is not None and shutil.which("setpriv") is None:
            break
        account = Account(*owner, capability)
        if all(account.reaches(path) for path in must_reach):
            return account
    raise UnavailableError(
        f"Postgres cannot be started as root, and the account {pwd.getpwuid(owner[0]).pw_name} cannot reach "
        + " and ".join(str(path) for path in must_reach)
        + ".",
        why="a folder above is closed to other accounts.",
        remedy="Run the node as a normal user, or put its folder and its Python environment where other "
        "accounts may pass, such as /srv.",
    )


def _owner(folder: Path) -> tuple[int, int]:
    if folder.exists() and folder.stat().st_uid != 0:
        return folder.stat().st_uid, folder.stat().st_gid
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _make_account()
    return entry.pw_uid, entry.pw_gid


def _make_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    try:
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", ACCOUNT], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", b"") or str(error).encode()
        raise UnavailableError(
            f"The account {ACCOUNT} for Postgres cannot be made.",
            why=why.decode(errors="replace").strip(),
            remedy=f"Run the node as a normal user, or make it: useradd --system {ACCOUNT}",
        ) from error
    return pwd.getpwnam(ACCOUNT)
