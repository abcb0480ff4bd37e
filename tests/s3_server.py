"""A real S3-compatible server for tests: Ceph's RADOS Gateway over one monitor and one OSD, in memory.

Debian packages (tests/system-packages.sh) run as processes of one's own on the loopback interface, in a
folder of the test. The gateway alone is stopped and started in mid-test: what it had stored stays.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.integration.gateway.tls_files import write_tls_files

ACCESS_KEY, SECRET_KEY = "node-a", "not-a-secret-of-anybody"
REGION = "us-east-1"
_DEADLINE_SECONDS = 60

_CONF = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}
mon initial members = a
ms bind msgr1 = false
ms bind port min = {port_min}
ms bind port max = {port_max}
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = {folder}
admin socket =
pid file =
log file = {folder}/$name.log
log to stderr = false
mon cluster log file = {folder}/cluster.log
keyring = {folder}/keyring
crash dir = {folder}/crash
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
rgw rados pool pg num min = 1

[mon]
mon data = {folder}/mon
mon allow pool delete = true
mon allow pool size one = true
paxos propose interval = 0.01
paxos min wait = 0
mon data avail crit = 1
mon data avail warn = 1

[osd]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd client watch timeout = 1
osd max object size = 134217728

[client]
rgw frontends = beast endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} \
 ssl_certificate={certificate} ssl_private_key={key}
rgw cache enabled = false
rgw thread pool size = 32
rgw enable usage log = false
rgw enable gc threads = false
rgw run sync thread = false
"""


class S3Server:
    """One server; `stop` and `start` end and begin its gateway, by process id."""

    def __init__(self, folder: Path) -> None:
        self.port, self._tls_port, mon_port = _free_ports(3)
        self.folder = folder
        self.ca, key = write_tls_files(folder)
        self.fsid = str(uuid.uuid4())
        self._mon_port = mon_port
        self._conf = folder / "ceph.conf"
        low = 16_800 + (os.getpid() % 400) * 20
        self._conf.write_text(
            _CONF.format(
                fsid=self.fsid,
                mon_port=mon_port,
                port=self.port,
                tls_port=self._tls_port,
                certificate=self.ca,
                key=key,
                folder=folder,
                port_min=low,
                port_max=low + 19,
            )
        )
        self._core: list[subprocess.Popen[bytes]] = []
        self._gateway: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self) -> str:
        """The same by TLS, with the certificate that `ca` names."""
        return f"https://localhost:{self._tls_port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The credentials of its one user, as AWS tools find them."""
        return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}

    def client(self) -> Any:
        """A plain client, for making buckets and looking at what lies in them."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def begin(self) -> None:
        """Make the cluster and its user, and start the gateway."""
        (self.folder / "keyring").touch()
        monmap = self.folder / "monmap"
        self._run("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a",
                  f"[v2:127.0.0.1:{self._mon_port}]", str(monmap), configured=False)  # fmt: skip
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap))
        self._core.append(self._spawn("ceph-mon", "-i", "a"))
        osd_id = str(uuid.uuid4())
        self._run("ceph", "osd", "new", osd_id)
        (self.folder / "osd").mkdir()
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        self._core.append(self._spawn("ceph-osd", "-i", "0"))
        self.add_user(ACCESS_KEY, SECRET_KEY)
        self.start()

    def add_user(self, name: str, secret: str) -> None:
        """One more user, whose access key is its name; it may use its own buckets alone."""
        self._run("radosgw-admin", "user", "create", f"--uid={name}", f"--display-name={name}",
                  f"--access-key={name}", f"--secret-key={secret}")  # fmt: skip

    def start(self) -> None:
        """Start the gateway, and wait until it answers."""
        self._gateway = self._spawn("radosgw", "-n", "client.rgw")
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._answers():
            if self._gateway.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"radosgw does not answer; see {self.folder}")
            with suppress(subprocess.TimeoutExpired):
                self._gateway.wait(0.05)

    def stop(self) -> None:
        """End the gateway at once, as a crash does: nobody listens any more."""
        if self._gateway is not None:
            _end(self._gateway)
            self._gateway = None

    def close(self) -> None:
        """End all processes."""
        self.stop()
        for process in reversed(self._core):
            _end(process)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def _run(self, program: str, *arguments: str, configured: bool = True) -> None:
        conf = ["-c", str(self._conf)] if configured else []
        done = subprocess.run(
            [program, *conf, *arguments],
            capture_output=True,
            text=True,
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr}")

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.out").open("ab") as output:
            return subprocess.Popen(
                [program, "-c", str(self._conf), *arguments, "-f"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server for the time of the block."""
    folder = Path(tempfile.mkdtemp(prefix="phems-s3-"))
    server = S3Server(folder)
    try:
        server.begin()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait(_DEADLINE_SECONDS)


def _free_ports(count: int) -> list[int]:
    with_ports = [socket.socket() for _ in range(count)]
    try:
        for each in with_ports:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in with_ports]
    finally:
        for each in with_ports:
            each.close()
