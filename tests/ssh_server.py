"""A real sshd for tests, on 127.0.0.1, that lets one key in, as whoever runs the tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

SSHD = "/usr/sbin/sshd"
START_SECONDS = 30.0
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey "{folder}/host"
AuthorizedKeysFile "{folder}/authorized"
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


class SshServer:
    """Serves for the time of a `with` block; keys and its own key lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = _key(folder / "node")
        _key(folder / "host")
        shutil.copy(folder / "node.pub", folder / "authorized")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.known_hosts = folder / "known_hosts"
        kind, public, *_ = (folder / "host.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {public}\n")
        (folder / "sshd_config").write_text(_CONFIG.format(port=self.port, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, path: Path) -> str:
        """Where a repo at `path` is read."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        if os.getuid() == 0:  # the folder that sshd gives itself up to
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = ["-f", str(self.folder / "sshd_config")]
        self._process = subprocess.Popen(
            [SSHD, "-D", "-e", *config], stderr=(self.folder / "sshd.log").open("wb")
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.folder / "sshd.log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.02)
        raise AssertionError("sshd does not answer")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path
