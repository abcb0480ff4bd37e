"""The wall over TLS: nothing is said in the clear, to nobody else, and a capability is all that counts.

Attack-minded: whoever reaches the port has the network of a project's pod, and no more than that.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.tls_wall import ADDRESS, ANY_PORT, TlsWall, tls_wall

from phems.adapters.wall_certificate import wall_certificate
from phems.contract.capability import Capability
from phems.contract.frames import MAX_FRAME_BYTES, receive_frame, send_frame
from phems.engine import storage_service
from phems.engine.capabilities import STEP_SECONDS, CapabilityAuthority
from phems.engine.doors import TlsDoor
from phems.errors import IntegrityError, RefusedError, UnavailableError
from phems.host import storage_client
from phems.host.connections import tls_connection

ORDER = {"host": "{}", "step": "{}"}


@pytest.fixture
def site() -> Iterator[TlsWall]:
    with tls_wall() as wall:
        wall.orders["s"] = ORDER
        yield wall


def test_a_step_asks_for_its_order_and_reads_its_own_run(site: TlsWall) -> None:
    step = site.step()
    with closing(site.client(site.authority.issue(step))) as client:
        assert client.call("step", "order", ("pod",), {}) == ORDER
        assert client.call("runs", "has_run", (step.run_id,), {})


def test_another_project_s_capability_reads_nothing_of_this_one(site: TlsWall) -> None:
    mine, other = site.step("heart"), site.step("genes")
    with closing(site.client(site.authority.issue(other))) as client:
        for storage, method in (("runs", "has_run"), ("events", "get_records_for_run")):
            with pytest.raises(RefusedError, match="no run"):
                client.call(storage, method, (mine.run_id,), {})


@pytest.mark.parametrize("token", ["", "nothing", "a.b.c"])
def test_who_has_no_capability_gets_no_answer(site: TlsWall, token: str) -> None:
    with pytest.raises(RefusedError, match="not one of this node"):
        site.client(token).call("step", "order", ("pod",), {})


def test_a_capability_of_another_worker_is_refused(site: TlsWall) -> None:
    """Each worker has a key of its own: a project's capability says nothing to another project's worker."""
    foreign = CapabilityAuthority().issue(site.step())
    with pytest.raises(RefusedError, match="not one of this node"):
        site.client(foreign).call("step", "order", ("pod",), {})


def test_a_capability_that_has_expired_is_refused(site: TlsWall) -> None:
    with pytest.raises(RefusedError, match="expired"):
        site.client(site.authority.issue(site.step(seconds=-1))).call("step", "order", ("pod",), {})


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds have passed for clients, in its one place."""
    began, seconds = time.monotonic(), [0.0]
    monkeypatch.setattr(storage_client.time, "monotonic", lambda: began + seconds[0])
    return seconds


def test_who_connects_again_and_again_renews_its_capability_in_time(
    site: TlsWall, passed: list[float]
) -> None:
    """Otherwise a step that prints all the time is not heard any more after a quarter of an hour."""
    step = site.step(seconds=STEP_SECONDS)
    with closing(site.client(site.authority.issue(step))) as client:
        for _ in range(7):
            assert client.call("step", "order", ("pod",), {}) == ORDER
            client.close()
            passed[0] += STEP_SECONDS / 10
        shown = site.authority.verify(client._capability())
        assert site.authority.seconds_left(shown) > STEP_SECONDS / 2


def test_who_has_said_nothing_yet_renews_its_capability_in_time_as_well(
    site: TlsWall, passed: list[float]
) -> None:
    """Otherwise a warm pod's step that prints nothing for an hour is not heard when it does."""
    step = site.step(seconds=STEP_SECONDS)
    with closing(site.client(site.authority.issue(step))) as client:
        for _ in range(7):
            client.show()
            client.renew_if_due()
            client.close()
            passed[0] += STEP_SECONDS / 5
        assert client.call("step", "order", ("pod",), {}) == ORDER


def test_a_location_s_capability_is_worth_nothing_where_no_host_is(site: TlsWall) -> None:
    location = Capability("location", "heart", time.monotonic() + 60, "d")
    with pytest.raises(RefusedError, match="ended"):
        site.client(site.authority.issue(location)).call("step", "order", ("pod",), {})


def test_the_client_speaks_to_nobody_else(site: TlsWall) -> None:
    """Otherwise whoever takes the worker's address is handed the capability, and says what to do."""
    _, other = wall_certificate(ADDRESS, dt.datetime.now(dt.UTC))
    _, elsewhere = wall_certificate("10.0.0.1", dt.datetime.now(dt.UTC))
    for certificate in (other, elsewhere):
        with pytest.raises(ssl.SSLCertVerificationError):
            site.client("token", certificate).call("step", "order", ("pod",), {})


def test_a_certificate_for_another_address_is_not_taken_though_it_is_the_pinned_one() -> None:
    context, certificate = wall_certificate("10.0.0.1", dt.datetime.now(dt.UTC))
    door = TlsDoor(ADDRESS, ANY_PORT, context)
    with closing(door.listening):

        def answer() -> None:
            peer, _ = door.listening.accept()
            with closing(peer), pytest.raises(OSError, match=r"(?i)alert|certificate"):
                door.secured(peer)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(ssl.SSLCertVerificationError, match="127"):
            tls_connection(f"{ADDRESS}:{door.port}", certificate)()
        answering.join(10)


def test_nothing_is_answered_in_the_clear(site: TlsWall) -> None:
    """A capability that is shown without TLS, by a client that was set up wrongly, is not even looked at."""
    token = site.authority.issue(site.step())
    with socket.create_connection((ADDRESS, site.door.port), 10) as peer:
        send_frame(peer, {"capability": token})
        answer = b""
        try:
            while part := peer.recv(4096):
                answer += part
        except ConnectionResetError:
            pass
    assert b"result" not in answer
    assert b"error" not in answer
    assert len(answer) <= 7, "at most an alert of TLS"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2])
def test_an_older_tls_is_not_spoken(site: TlsWall, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    context.load_verify_locations(cadata=site.certificate)
    with (
        socket.create_connection((ADDRESS, site.door.port), 10) as raw,
        pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"),
    ):
        context.wrap_socket(raw, server_hostname=ADDRESS)


def _opened(site: TlsWall) -> socket.socket:
    return tls_connection(site.address, site.certificate)()


def test_a_stranger_s_huge_frame_is_not_waited_for(site: TlsWall) -> None:
    with closing(_opened(site)) as peer:
        peer.settimeout(10)
        peer.sendall((1 << 20).to_bytes(4, "big"))
        assert receive_frame(peer) is None


def test_a_step_s_huge_frame_ends_its_connection_and_no_other(site: TlsWall) -> None:
    token = site.authority.issue(site.step())
    with closing(_opened(site)) as peer, closing(site.client(token)) as other:
        peer.settimeout(10)
        send_frame(peer, {"capability": token})
        assert isinstance(receive_frame(peer), dict)
        peer.sendall((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
        assert receive_frame(peer) is None
        assert other.call("step", "order", ("pod",), {}) == ORDER


def test_who_drips_its_greeting_is_sent_away_in_time(site: TlsWall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a few silent connections hold all places of those who are not known yet."""
    monkeypatch.setattr(storage_service, "HELLO_SECONDS", 0.3)
    answers: list[Any] = []
    with socket.create_connection((ADDRESS, site.door.port), 10) as silent, closing(_opened(site)) as peer:
        for each in (silent, peer):
            each.settimeout(10)
        peer.sendall(b"\0")
        for each in (silent, peer):
            try:
                answers.append(each.recv(1))
            except ConnectionResetError:
                answers.append(b"")
    assert answers == [b"", b""]


def test_a_worker_that_finds_no_free_port_says_what_to_do(site: TlsWall) -> None:
    context, _ = wall_certificate(ADDRESS, dt.datetime.now(dt.UTC))
    with pytest.raises(UnavailableError, match="no port") as told:
        TlsDoor(ADDRESS, [site.door.port], context)
    assert "queue.pool" in told.value.remedy


def test_a_second_worker_of_a_pod_takes_the_next_port(site: TlsWall) -> None:
    context, _ = wall_certificate(ADDRESS, dt.datetime.now(dt.UTC))
    with closing(TlsDoor(ADDRESS, [site.door.port, 0], context).listening) as listening:
        assert listening.getsockname()[1] != site.door.port


def test_what_is_not_json_over_tls_is_refused_like_elsewhere(site: TlsWall) -> None:
    with closing(_opened(site)) as peer:
        peer.settimeout(10)
        peer.sendall((3).to_bytes(4, "big") + b"no!")
        assert receive_frame(peer) is None
    with pytest.raises(IntegrityError):
        send_frame(peer, {"a": "x" * (MAX_FRAME_BYTES + 1)})
