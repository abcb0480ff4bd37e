"""The embedded Postgres: made on the first start, a child of the node, on a Unix socket alone.

Passwords on the socket too (SCRAM), data checksums on, fsync on. What was killed is recovered at the next
start; what is running already, left over by a node that was killed, is shut down first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from phems.adapters.postgres.account import Account, account_for
from phems.adapters.postgres.binaries import MAJOR, programs
from phems.adapters.postgres.process import (
    Postmaster,
    mark_of,
    running_postmaster,
    server_processes,
    ticks,
    wait_until,
)
from phems.adapters.runtime_dir import allow_passage, ensure_runtime_dir
from phems.errors import UnavailableError

ADMIN = "phems_admin"
"""The superuser: makes the roles and the database at a start; its password stays in the keys folder."""

START_SECONDS = 120.0  # recovery after a crash included
STOP_SECONDS = 30.0
LOG_LIMIT = 10 * 2**20

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "io_method": "sync",  # no I/O worker processes beside each node
    "max_wal_size": "256MB",
    "wal_compression": "on",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A statement may hold values: what goes to the log is the error alone.
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}


class EmbeddedPostgres:
    """One Postgres server on one folder. The caller holds the node's lock.

    `settings` are Postgres's own, in the place of those in `SETTINGS`.
    """

    def __init__(
        self,
        *,
        data: Path,
        runtime_dir: Path,
        admin_password: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        self.socket_dir = socket_dir(runtime_dir)
        self._runtime_dir = runtime_dir
        self._admin_password = admin_password
        self._settings = {**SETTINGS, **(settings or {})}
        self._programs = programs()
        self._server: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The server's process, when this object started it."""
        return self._server.pid if self._server is not None else None

    def start(self) -> None:
        """Start the server, making its folder first when there is none; returns when it takes connections."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        account = self._account()
        if not (self.data / "PG_VERSION").exists():
            self._initialise(account)
        self._check_version()
        self._clear_leftovers()
        self._server = self._launch(account)
        try:
            self._wait_until_ready(self._server)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut the server down: sessions are ended, transactions rolled back. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        for number, seconds in _SHUTDOWN:
            if server.poll() is not None:
                return
            server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(seconds)

    def wait(self) -> None:
        """Return when the server has ended, by itself or by `stop`; at once when it does not run."""
        server = self._server
        if server is not None:
            server.wait()

    def _account(self) -> Account:
        account = account_for(self.data, must_reach=[self._programs])
        group = account.gid if os.geteuid() == 0 else None
        ensure_runtime_dir(self._runtime_dir, enter_group=group)
        # What runs write lies in there too: no other account of the machine shall read it.
        allow_passage(self.data.parent, group, closed_mode=0o700)
        account = account_for(self.data, must_reach=[self._programs, self._runtime_dir, self.data.parent])
        self.socket_dir.mkdir(mode=0o700, exist_ok=True)
        _give(self.socket_dir, account)
        return account

    def _initialise(self, account: Account) -> None:
        # Beside, then renamed: a start that is killed here leaves nothing that looks like a database.
        unfinished = self.data.with_name(f"{self.data.name}.unfinished")
        password_file = self.socket_dir / "initial-password"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(mode=0o700)
            _give(unfinished, account)
            password_file.unlink(missing_ok=True)
            descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(self._admin_password)
            _give(password_file, account)
            command = [str(self._programs / "initdb"), "-D", str(unfinished), "-U", ADMIN]
            safety = [f"--pwfile={password_file}", "--auth=scram-sha-256", "--data-checksums"]
            # The builtin locale: the same order of text on every machine.
            locale = [
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ]
            made = subprocess.run(
                account.command([*command, *safety, *locale]),
                check=False,
                capture_output=True,
                **account.options(),
            )
            if made.returncode != 0:
                raise UnavailableError(
                    f"The embedded Postgres cannot be made in {self.data}.",
                    why=_reason(made.stderr.decode(errors="replace")),
                    remedy=f"Make room and see that the folder can be written: df -h {self.data.parent}",
                )
            unfinished.rename(self.data)
        except OSError as error:
            raise UnavailableError(
                f"The embedded Postgres cannot be made in {self.data}.",
                why=str(error),
                remedy=f"Make room and see that the folder can be written: ls -ld {self.data.parent}",
            ) from error
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(unfinished, ignore_errors=True)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != str(MAJOR):
            raise UnavailableError(
                f"{self.data} is a database of Postgres {found}.",
                why=f"this version of the node brings Postgres {MAJOR}.",
                remedy="Start it once with the version of phems-node that made it and move it with pg_dump.",
            )

    def _clear_leftovers(self) -> None:
        """Shut down what a killed node left running, and remove the marks of what was killed itself."""
        end_leftover(self.data)
        # Now nothing works on this folder. Its process id may have been given to another program, and
        # Postgres would then take that program for a running server and refuse to start.
        for mark in (self.data / "postmaster.pid", *self.socket_dir.glob(".s.PGSQL.*")):
            mark.unlink(missing_ok=True)

    def _launch(self, account: Account) -> subprocess.Popen[bytes]:
        own = {"unix_socket_directories": str(self.socket_dir), "cluster_name": mark_of(self.data)}
        settings = {**self._settings, **own}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            self._log_start = log.tell()
            return subprocess.Popen(
                account.command([self._programs / "postgres", "-D", self.data, *words]),
                stdout=log,
                stderr=log,
                # Ctrl-C is for the node, which then stops Postgres last.
                start_new_session=True,
                **account.options(),
            )

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> None:
        for _ in ticks(START_SECONDS):
            if server.poll() is not None:
                break
            postmaster = running_postmaster(self.data)
            if postmaster is not None and postmaster.pid == server.pid and postmaster.ready:
                return
        raise UnavailableError(
            "The embedded Postgres does not start.",
            why=_reason(self._log_since_launch()) or f"no answer in {START_SECONDS:.0f} s.",
            remedy=f"Read its log: tail {self.log}",
        )

    def _log_since_launch(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")


_SHUTDOWN = ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


def socket_dir(runtime_dir: Path) -> Path:
    """Where the socket of the embedded Postgres lies: a folder of the account that runs it."""
    return runtime_dir / "pg"


def end_leftover(data: Path) -> None:
    """Shut down the server that a killed process left running on this folder; returns when it is gone."""
    leftover = running_postmaster(data)
    if leftover is not None:
        _shut_down(leftover)
    if not wait_until(lambda: not server_processes(data), seconds=STOP_SECONDS):
        pids = " ".join(map(str, server_processes(data)))
        raise UnavailableError(
            f"An earlier Postgres still works on {data}.",
            why=f"its processes do not end: {pids}",
            remedy=f"kill {pids}",
        )


def _shut_down(postmaster: Postmaster) -> None:
    for number, seconds in _SHUTDOWN:
        postmaster.signal(number)
        if wait_until(postmaster.gone, seconds=seconds):
            return


def _give(path: Path, account: Account) -> None:
    if os.geteuid() == 0:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _reason(log: str) -> str:
    """What in a log tells why it ended: the last lines that say so, or else the last lines."""
    lines = [line for line in log.splitlines()[-100:] if line.strip()]
    telling = [line for line in lines if any(word in line for word in _TELLING)]
    return "\n".join((telling or lines)[-3:])


_TELLING = ("FATAL", "PANIC", "could not", "error:")
