"""A Postgres of Debian's package, for peers that need extensions which the node's own Postgres has not.

It has the node's settings, as far as its version knows them, and trusts who reaches its socket.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.server.installed import NotMeasuredError
from benchmarks.side import end_process, wait_for
from phems.adapters.postgres.account import account_for
from phems.adapters.postgres.embedded import SETTINGS

LIBRARY = Path("/usr/lib/postgresql")
USER = "bench"
_OF_A_LATER_VERSION = {"io_method"}
_CONNECTIONS = {"max_connections": "200"}


def start_debian_postgres(closing: ExitStack, folder: Path) -> Path:
    """Start one with its data in a folder; gives the folder of its socket. There is one database, USER's."""
    found = sorted(LIBRARY.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise NotMeasuredError("no Postgres with pg_trgm: apt-get install postgresql (as root)")
    programs = found[-1].parent
    data = folder / "debian" / "data"
    data.parent.mkdir()
    account = account_for(data, must_reach=[programs, folder])
    data.parent.chmod(0o777)  # whoever runs Postgres makes its folders in it
    _run(account.command([programs / "initdb", "-D", data, "-U", USER, "-A", "trust"]), account.options())
    settings = {k: v for k, v in (SETTINGS | _CONNECTIONS).items() if k not in _OF_A_LATER_VERSION}
    settings["unix_socket_directories"] = str(data)
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "postgres.log").open("ab") as log:
        server = subprocess.Popen(
            account.command([programs / "postgres", "-D", data, *words]),
            stdout=log,
            stderr=log,
            **account.options(),
        )
    closing.callback(end_process, server)
    command = account.command([programs / "createdb", "-h", data, "-U", USER, USER])
    options = account.options()

    def made() -> bool:
        return subprocess.run(command, check=False, capture_output=True, **options).returncode == 0

    wait_for(made, "the start of Debian's Postgres")
    return data


def _run(command: Sequence[str], options: dict[str, object]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise NotMeasuredError(f"{Path(command[0]).name}: {done.stderr.strip()}")
