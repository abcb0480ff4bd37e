"""A real RabbitMQ for tests: Debian's server as a process of the tests' own, on free ports of this machine.

Everything of it (data, log, cookie, plugins) lies in one folder; its epmd, by which Erlang's nodes find each
other, is its own as well, so that neither a RabbitMQ of this machine nor that of another test process is in
the way. It can be stopped and started again in the middle of a test, with its data kept.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import httpx
import psutil
from tests.integration.gateway.tls_files import write_tls_files

LIBRARY = Path("/usr/lib/rabbitmq/bin")
"""The programs themselves: those on the PATH start the server as a user of the system's own."""
ADMIN = "tests"
START_SECONDS = 120.0
STOP_SECONDS = 60.0

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
listeners.ssl.1 = 127.0.0.1:{amqps}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_none
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
# Small and prompt: a test has no gigabytes to log ahead, and reads queue depths as they are.
raft.wal_max_size_bytes = 8388608
collect_statistics_interval = 1000
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = info
log.file = false
"""
# No thread of it spins while it waits: the machine is the tests'.
ERLANG = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all of them different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class RabbitMq:
    """One server. `start`, `stop` and `start` again as often as need be; `close` leaves nothing behind."""

    def __init__(self) -> None:
        assert (LIBRARY / "rabbitmq-server").exists(), (
            "rabbitmq-server is missing: make system-packages (as root)"
        )
        self.folder = Path(tempfile.mkdtemp(prefix="phems-rabbitmq-"))
        self.port, self.tls_port, self.management_port, distribution, self._epmd_port = free_ports(5)
        self.certificate, key = write_tls_files(self.folder)
        self.password = secrets.token_urlsafe(16)
        configuration = CONFIGURATION.format(
            amqp=self.port,
            amqps=self.tls_port,
            certificate=self.certificate,
            key=key,
            management=self.management_port,
            user=ADMIN,
            password=self.password,
        )
        (self.folder / "rabbitmq.conf").write_text(configuration)
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            # The cookie lies in the home folder.
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"phems-{secrets.token_hex(4)}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "no-such-file"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "no-such-file.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            # The server takes the place of the script that starts it, so that its process is known.
            "RABBITMQ_ALLOW_INPUT": "true",
        }
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker's address, as node.yaml has it."""
        return f"amqp://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """Its address with TLS; `certificate` vouches for it, and no one else does."""
        return f"amqps://127.0.0.1:{self.tls_port}"

    @property
    def management(self) -> str:
        """The address of its management API, as node.yaml has it."""
        return f"http://127.0.0.1:{self.management_port}"

    @property
    def admin_url(self) -> str:
        """The address of its management API with the administrator's login."""
        return f"http://{ADMIN}:{self.password}@127.0.0.1:{self.management_port}"

    @property
    def pid(self) -> int | None:
        """The server's process; None when it does not run."""
        return self._server.pid if self._server is not None else None

    @property
    def log(self) -> Path:
        """What it has to say."""
        return self.folder / "server.log"

    def start(self) -> Self:
        """Start it, and wait until it takes connections. Idempotent."""
        if self._server is not None and self._server.poll() is None:
            return self
        self._start_epmd()
        with self.log.open("ab") as log:
            # Its standard input ends with this process, and so does it, however this process ends.
            self._server = subprocess.Popen(
                [str(LIBRARY / "rabbitmq-server")],
                env=self._environment,
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready()
        return self

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, as its service would, or as a power cut does. Its data stay. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        (server.kill if kill else server.terminate)()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        assert server.stdin is not None
        server.stdin.close()

    @contextmanager
    def stopped(self, *, kill: bool = False) -> Iterator[None]:
        """Stopped for the time of the block, and running again after it."""
        self.stop(kill=kill)
        try:
            yield
        finally:
            self.start()

    def close(self) -> None:
        """Stop it, and remove what it kept; no process of it is left."""
        started = [each.pid for each in (self._server, self._epmd) if each is not None]
        processes = [each for pid in started for each in psutil.Process(pid).children(recursive=True)]
        self.stop(kill=True)
        epmd, self._epmd = self._epmd, None
        if epmd is not None:
            assert epmd.stdin is not None
            epmd.stdin.close()
            epmd.wait(STOP_SECONDS)
        _, left = psutil.wait_procs(processes, timeout=STOP_SECONDS)
        assert left == []
        shutil.rmtree(self.folder)

    def api(self, method: str, path: str, **options: object) -> httpx.Response:
        """One request to the management API as its administrator."""
        address = f"{self.management}/api/{path}"
        return httpx.request(method, address, auth=(ADMIN, self.password), timeout=30, **options)  # type: ignore[arg-type]

    def _start_epmd(self) -> None:
        if self._epmd is not None and self._epmd.poll() is None:
            return
        # epmd reads no standard input of its own: the shell does, and ends it when this process has ended.
        self._epmd = subprocess.Popen(
            [
                "sh",
                "-c",
                'epmd -port "$0" -address 127.0.0.1 < /dev/null & read -r _; kill $!',
                str(self._epmd_port),
            ],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self._server is not None
            ended = self._server.poll()
            assert ended is None, f"RabbitMQ ended with {ended}:\n{self._last_words()}"
            assert time.monotonic() < deadline, f"RabbitMQ is not ready yet:\n{self._last_words()}"
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            # It listens before it has every vhost open again.
            checks = (f"health/checks/port-listener/{self.port}", "health/checks/virtual-hosts")
            return all(self.api("GET", check).status_code == 200 for check in checks)
        except httpx.HTTPError:
            return False

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


@contextmanager
def running_rabbitmq() -> Iterator[RabbitMq]:
    """A server, until the end of the block."""
    server = RabbitMq()
    try:
        yield server.start()
    finally:
        server.close()
