"""`phems` for a reader who types hundreds of commands: each is a fork of a process that has loaded them all.

An interpreter of its own would spend a second of each command on importing. The commands themselves, their
folder, environment, standard streams and exit codes are the same; what goes on for long (`LASTING`) is the
installed program.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phems.cli.__main__ import main
from phems.cli.app import COMMANDS

LASTING = ("serve", "demo")
_LARGEST = 1 << 20
# Without site-packages, and without the folder of the script: it starts in 15 ms.
_CLIENT = """\
#!{python} -IS
import json, os, socket, sys
if any(word in {lasting} for word in sys.argv[1:2]) or "--watch" in sys.argv:
    os.execv({program!r}, [{program!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.connect({door!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(door, [asked], [0, 1, 2])
    ended = door.recv(1)
sys.exit(ended[0] if ended else "phems ended without a word")
"""


@contextmanager
def warm_phems(folder: Path) -> Iterator[None]:
    """Make `folder` with a `phems` in it, and keep the process behind it for as long as this lasts."""
    folder.mkdir()
    door = folder / "phems.socket"
    program = Path(sys.executable).with_name("phems")
    client = folder / "phems"
    client.write_text(
        _CLIENT.format(python=sys.executable, lasting=LASTING, program=str(program), door=str(door))
    )
    client.chmod(0o755)
    with subprocess.Popen([sys.executable, __file__, str(door)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline(), "it did not start"
        try:
            yield
        finally:
            server.terminate()


def _serve(path: str) -> int:
    for row in COMMANDS.values():
        importlib.import_module(row.module)
    importlib.import_module("phems.bootstrap.node")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen(16)
        os.write(sys.stdout.fileno(), b"listening\n")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
        while True:
            connection, _ = door.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return _answer(connection)
            connection.close()


def _answer(connection: socket.socket) -> int:
    message, streams, *_ = socket.recv_fds(connection, _LARGEST, 3)
    args, folder, environment = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = main(args)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.send(bytes([code]))
    return code


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1]))
