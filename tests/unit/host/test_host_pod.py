"""The pod of a project's host: real processes, as its Deployment starts them, asked over TLS.

Attack-minded: whoever reaches the port learns nothing, and a pod that lies, floods or hangs is cut off.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from dagster._grpc.client import DagsterGrpcClient
from tests.host_pods import HERE, KEYS, RunningPod, asked_for, heard, plan_of, running_pod

from phems.adapters.host_pods import pod_host
from phems.adapters.host_pods.keys import HostKeys
from phems.adapters.host_pods.pod_host import ENDED, NO_CODE, NOT_TAKEN, PodHost
from phems.contract.frames import receive_frame, send_frame
from phems.contract.host_messages import HostFailed, HostLoaded
from phems.contract.host_pod import CERTIFICATE_FILE, KEY_FILE, Opening, server_name
from phems.errors import InputError

SOUND = """
import subprocess
import dagster as dg

# It leaves its parent, its session, and whoever would end it with these.
subprocess.Popen(["setsid", "-f", "sleep", "86399"])

@dg.job
def examined():
    pass

defs = dg.Definitions(jobs=[examined])
"""
SECONDS = 120


def until(holds: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + SECONDS, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        pause.wait(0.02)


@contextmanager
def closing_host(host: PodHost) -> Iterator[PodHost]:
    """It is ended."""
    try:
        yield host
    finally:
        host.kill()
        host.wait()


@contextmanager
def lying_pod(folder: Path, act: Callable[[ssl.SSLSocket], object]) -> Iterator[int]:
    """The port of a pod with the project's own key, which acts so once a stream is opened; then it leaves."""
    files = KEYS.files_of("heart")
    for name, text in files.items():
        (folder / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / CERTIFICATE_FILE, folder / KEY_FILE)

    def serve() -> None:
        with suppress(OSError):
            while True:
                with context.wrap_socket(listening.accept()[0], server_side=True) as peer:
                    receive_frame(peer)
                    act(peer)

    with socket.create_server((HERE, 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPod]:
    with running_pod(tmp_path_factory.mktemp("pod")) as made:
        yield made


@pytest.fixture(scope="module")
def host(pod: RunningPod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodHost]:
    """A host that has loaded."""
    made = asked_for(plan_of(tmp_path_factory.mktemp("node") / "a", SOUND), pod.port)
    assert isinstance(heard(made), HostLoaded)
    yield made
    made.kill()


def test_definitions_that_a_pod_has_loaded_are_asked_for_at_a_socket_of_this_machine(host: PodHost) -> None:
    """Dagster's own client and server: what is between them is not seen by either."""
    client = DagsterGrpcClient(socket=str(host._plan.host_dir / "grpc.sock"))
    assert "heart_definitions" in client.list_repositories()


def test_what_a_host_asks_the_storage_service_reaches_that_of_who_asked_for_it(
    pod: RunningPod, host: PodHost
) -> None:
    """The pod connects to nobody: its calls take a stream that the control process has opened."""
    plan = host._plan
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(plan.storage_socket))
        service.listen()
        service.settimeout(SECONDS)
        (folder,) = pod.tmp.iterdir()
        assert (folder / "capability").read_text() == "a-capability"
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as call:
                call.settimeout(SECONDS)
                call.connect(str(folder / "storage.sock"))
                call.sendall(b"question")
                with service.accept()[0] as answering:
                    assert answering.recv(99) == b"question"
                    answering.sendall(b"answer")
                    assert call.recv(99) == b"answer"


def test_a_host_ends_with_the_connection_that_asked_for_it_and_with_all_that_it_started(
    pod: RunningPod, tmp_path: Path
) -> None:
    """Another control process has one of its own, which stays; a revision that is replaced leaves none."""
    before = set(pod.tmp.iterdir())
    one = asked_for(plan_of(tmp_path / "b", SOUND), pod.port)
    assert isinstance(heard(one), HostLoaded)
    sleepers = [
        each for each in psutil.Process(pod.process.pid).children(recursive=True) if each.name() == "sleep"
    ]
    assert len(sleepers) == 2
    one.kill()
    assert one.wait() == 0
    until(lambda: set(pod.tmp.iterdir()) == before)
    until(lambda: sum(each.is_running() and each.status() != "zombie" for each in sleepers) == 1)


def test_definitions_that_do_not_load_say_why(pod: RunningPod, tmp_path: Path) -> None:
    with closing_host(asked_for(plan_of(tmp_path / "c", "import nothing_of_that_name"), pod.port)) as host:
        said = heard(host)
    assert isinstance(said, HostFailed)
    assert "nothing_of_that_name" in said.error


def test_code_that_its_volume_does_not_show_yet_is_asked_for_again(pod: RunningPod, tmp_path: Path) -> None:
    """It is no error of the code: a network's file system may show a new folder a minute later."""
    plan = plan_of(tmp_path / "i", SOUND)
    host = asked_for(replace(plan, code_dir=tmp_path / "nowhere"), pod.port)
    assert host.wait() == 1
    assert host.why_ended() == NO_CODE


def test_a_control_process_with_another_secret_is_told_nothing(pod: RunningPod, tmp_path: Path) -> None:
    host = asked_for(plan_of(tmp_path / "d", SOUND), pod.port, HostKeys("another secret" * 4))
    assert host.wait() == 1
    assert "is not the pod of heart's host" in host.why_ended()


@pytest.mark.parametrize("shown", ["nothing", "another project's"])
def test_who_has_no_key_of_a_control_process_gets_no_answer(
    pod: RunningPod, tmp_path: Path, shown: str
) -> None:
    """Attack: a pod of another project reaches the port, knows the certificate, and speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=KEYS.of_project("heart").certificate.decode())
    if shown != "nothing":
        files = KEYS.files_of("genes")
        for name in (KEY_FILE, CERTIFICATE_FILE):
            (tmp_path / name).write_text(files[name])
        context.load_cert_chain(tmp_path / CERTIFICATE_FILE, tmp_path / KEY_FILE)
    with (
        socket.create_connection((HERE, pod.port), SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=server_name("heart")) as peer,
    ):
        try:
            send_frame(peer, Opening("host", order="{}").to_frame())
            answer = receive_frame(peer)
        except OSError:
            answer = None
    assert answer is None


def test_who_says_nothing_in_the_right_words_is_cut_off(pod: RunningPod) -> None:
    """Attack: in the clear, and not at all by the rules."""
    with socket.create_connection((HERE, pod.port), SECONDS) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionResetError):
            assert b"HTTP" not in raw.recv(4096)


def test_another_project_s_pod_cannot_be_this_project_s_host(tmp_path: Path) -> None:
    """Attack: it answers at the address (a Service, a name that was taken over) with the key that it has."""
    with running_pod(tmp_path / "genes", "genes") as pod:
        host = asked_for(plan_of(tmp_path / "e", SOUND), pod.port)
        assert host.wait() == 1
    assert "is not the pod of heart's host" in host.why_ended()


def test_a_pod_that_is_not_there_is_named_with_its_address(tmp_path: Path) -> None:
    """What people read on the node's health page while its pod is started."""
    with socket.create_server((HERE, 0)) as taken:
        port = taken.getsockname()[1]
    host = asked_for(plan_of(tmp_path / "f", SOUND), port)
    assert host.wait() == 1
    assert f"does not answer at {HERE}:{port}" in host.why_ended()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"\xff\xff\xff\xff", "announced a message"),
        (b"\x00\x00\x00\x02[]", NOT_TAKEN),
        (b'\x00\x00\x00\x0c{"host":"a"}\xff\xff\xff\xff', "announced a message"),
        (b'\x00\x00\x00\x0c{"host":"a"}\x00\x00\x00\x02[]', "what nobody knows"),
        (b'\x00\x00\x00\x0c{"host":"a"}', ENDED),
    ],
)
def test_a_pod_that_lies_or_floods_is_cut_off(tmp_path: Path, said: bytes, reason: str) -> None:
    """Attack: project code has taken the pod over, key and all."""
    with lying_pod(tmp_path, lambda peer: peer.sendall(said)) as port:
        host = asked_for(plan_of(tmp_path / "g", SOUND), port)
        assert host.wait() == 1
    assert reason in host.why_ended()


def test_a_pod_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_host, "OPENED_SECONDS", 0.2)
    over = threading.Event()
    with lying_pod(tmp_path, lambda _peer: over.wait(SECONDS)) as port:
        host = asked_for(plan_of(tmp_path / "h", SOUND), port)
        assert host.wait() == 1
        over.set()
    assert host.why_ended() == NOT_TAKEN


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(InputError, match="5 characters"):
        HostKeys("12345")


def test_the_same_secret_gives_the_same_keys_and_each_project_another() -> None:
    """A pod that is started anew, and a project that is added, need nobody else's Secret changed."""
    again = HostKeys("0123456789abcdef" * 4)
    assert again.files_of("heart") == KEYS.files_of("heart")
    heart, genes = KEYS.of_project("heart"), KEYS.of_project("genes")
    assert len({heart.key, genes.key, KEYS.control.key}) == 3
    assert len({heart.certificate, genes.certificate, KEYS.control.certificate}) == 3
