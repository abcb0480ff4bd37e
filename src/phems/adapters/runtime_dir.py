"""The folder of the node's Unix sockets: short, of this user alone, made anew after a restart of the machine.

It lies in a folder that everybody may write (/tmp), so what is found there is checked, never trusted:
another user could have made it first.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from phems.errors import UnavailableError


def ensure_runtime_dir(path: Path, *, enter_group: int | None = None) -> Path:
    """Make the folder with mode 0700, or check that it is ours. Idempotent.

    `enter_group` is a group that may pass through it (mode 0710): that of the account which runs Postgres
    when the node runs as root. UnavailableError when it belongs to someone else or is a link.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UnavailableError(
            f"{path} is not a folder of this user.",
            why="the node keeps its sockets there, and someone else made it first.",
            remedy=f"Look at it and remove it: ls -ld {path}",
        )
    allow_passage(path, enter_group, closed_mode=0o700)
    return path


def allow_passage(folder: Path, group: int | None, *, closed_mode: int | None = None) -> None:
    """Let a group pass through a folder of the node, and nothing more. Idempotent.

    With `closed_mode` the folder gets that mode first; without, its mode is kept. A passage that was given
    earlier stays when `group` is None.
    """
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if group is None:
        if closed_mode is not None and mode & 0o077 & ~stat.S_IXGRP:
            folder.chmod(closed_mode)
        return
    if mode & stat.S_IXOTH and closed_mode is None:
        return
    if status.st_gid != group:
        os.chown(folder, -1, group)
        # Whoever was in the old group had rights that the new one must not inherit.
        mode &= ~0o070
    wanted = (closed_mode if closed_mode is not None else mode) | stat.S_IXGRP
    if stat.S_IMODE(folder.stat().st_mode) != wanted:
        folder.chmod(wanted)
