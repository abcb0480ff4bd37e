"""The tokens that `phems login` got, one for each node's address, in a file of the user's own.

`$XDG_CONFIG_HOME/phems/sign-ins.json`, else `~/.config/phems/sign-ins.json`: readable by the user alone. A
file that others can read is not used: its tokens may be known to them.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from phems.errors import InputError

_PRIVATE = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class SignIn:
    """A token that a node gave, and for whom."""

    token: str
    user: str
    expires_at: str


def kept_token(url: str) -> str | None:
    """The token for a node's address; None when there is none."""
    found = kept(url)
    return found.token if found is not None else None


def kept(url: str) -> SignIn | None:
    """The sign-in at a node's address."""
    return _read().get(url)


def urls() -> list[str]:
    """Every address with a sign-in."""
    return sorted(_read())


def keep(url: str, sign_in: SignIn) -> Path:
    """Keep a sign-in, in the place of the one before; gives the file."""
    return _write({**_read(), url: sign_in})


def forget(url: str) -> None:
    """Keep the sign-in of this address no more."""
    found = _read()
    if found.pop(url, None) is not None:
        _write(found)


def sign_ins_file() -> Path:
    """Where they are kept."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "phems" / "sign-ins.json"


def _read() -> dict[str, SignIn]:
    file = sign_ins_file()
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return {}
    with os.fdopen(descriptor, encoding="utf-8") as opened:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & _PRIVATE:
            raise InputError(
                f"The tokens in {file} are not used.",
                why="others may read the file, and so may know them.",
                remedy=f"chmod 600 {file}, and if somebody may have read it: phems logout, phems login",
            )
        try:
            return {str(url): SignIn(**plain) for url, plain in json.load(opened).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"{file} cannot be read.", why=str(error), remedy=f"rm {file}, then: phems login URL"
            ) from error


def _write(found: dict[str, SignIn]) -> Path:
    file = sign_ins_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump({url: asdict(each) for url, each in found.items()}, opened, indent=1)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return file
