"""Case 21, by theft: a capability that is forged, expired, another's, or of an attempt that has ended."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest
from attacked_node import INTRUDER, WARD, AttackedNode, until

from phems.contract.capability import Capability
from phems.contract.frames import receive_frame, send_frame


def ask(site: AttackedNode, token: object, *calls: dict[str, Any]) -> list[Any]:
    """Speak to the storage service from outside, where no sandbox is in the way; gives its answers."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(site.serving.control.storage_service.door.path))
        send_frame(peer, {"capability": token})
        answers: list[Any] = [receive_frame(peer)]
        for call in calls:
            send_frame(peer, {"args": [], "kwargs": {}, **call})
            answers.append(receive_frame(peer))
        return answers


COUNT = {"storage": "runs", "method": "get_runs_count"}


def test_nobody_gets_in_with_a_capability_that_was_not_given_to_them(site: AttackedNode) -> None:
    """Otherwise a step could be whoever it says it is."""
    leak = site.probe("leak_capability_job")
    found = site.probe("forge_capabilities_job", stolen=leak["token"])
    assert "'result'" in found.pop("own")
    for name, outcome in found.items():
        assert "'result'" not in outcome, name
    assert "ended" in found["stolen"]


def test_a_step_s_capability_ends_with_its_attempt(site: AttackedNode) -> None:
    """Otherwise a token in a log would be a key for as long as the log is kept."""
    leak = site.probe("leak_capability_job")
    # The run has ended; its last process is about to.
    (answer,) = until(lambda: [each for each in ask(site, leak["token"]) if "error" in each], 20, "it ends")
    assert answer["error"]["type"] == "RefusedError"
    assert "ended" in answer["error"]["what"]


def test_an_open_connection_ends_with_the_attempt_too(own_site: AttackedNode) -> None:
    """Otherwise who connects early could stay for ever."""
    site = own_site
    run_id = site.launch(WARD, "waiting_job")
    until(lambda: "wait_for_go" in site.started_steps(run_id), 20, "it runs")
    authority = site.serving.control._parts.wall.authority
    capability = Capability("step", WARD, time.time() + 60, "0", run_id, "wait_for_go", 1)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(site.serving.control.storage_service.door.path))
        send_frame(peer, {"capability": authority.issue(capability)})
        assert "result" in receive_frame(peer)  # type: ignore[operator]
        send_frame(peer, {**COUNT, "args": [None], "kwargs": {}})
        assert receive_frame(peer) == {"result": 1}
        (site.data / "artifacts" / WARD / "go").touch()
        site.wait(run_id)
        send_frame(peer, {**COUNT, "args": [None], "kwargs": {}})
        answer = receive_frame(peer)
    assert answer["error"]["type"] == "RefusedError"  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expires_at": 1.0}, "expired"),
        ({"code_digest": "0" * 64}, "ended"),
        ({"project": "nobody"}, "ended"),
    ],
)
def test_a_capability_of_the_node_s_own_making_is_worth_no_more_than_it_says(
    site: AttackedNode, changes: dict[str, Any], said: str
) -> None:
    """Otherwise signatures alone would decide, and old ones would open doors."""
    host = site.serving.control.hosts.current(INTRUDER)
    assert host is not None
    authority = site.serving.control._parts.wall.authority
    good = Capability("location", INTRUDER, time.time() + 60, host.plan.code_digest)
    assert "result" in ask(site, authority.issue(good))[0]
    bad = Capability(**{**good.to_claims(), **changes})
    (answer,) = ask(site, authority.issue(bad))
    assert said in answer["error"]["what"]


def test_a_location_s_capability_reads_its_own_and_writes_no_event(site: AttackedNode) -> None:
    """Otherwise the code server, which has no step, could speak for all of them. See also case 21."""
    token = site.probe("leak_capability_job")["location"]
    hello, count, write = ask(
        site,
        token,
        {**COUNT, "args": [None]},
        {"storage": "events", "method": "store_event_batch", "args": [[]]},
    )
    assert "result" in hello
    own = site.sql("SELECT count(*) FROM run_tags WHERE key = 'phems/project' AND value = :p", p=INTRUDER)
    assert count == {"result": own[0][0]}
    assert write["error"]["what"] == "Only a step may write events."


def test_who_shows_nothing_is_not_waited_for(site: AttackedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise silent connections could use up the node."""
    from phems.engine import storage_service

    monkeypatch.setattr(storage_service, "HELLO_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(site.serving.control.storage_service.door.path))
        assert peer.recv(1) == b""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(site.serving.control.storage_service.door.path))
        peer.sendall((1024 * 1024).to_bytes(4, "big") + b"x")
        with contextlib.suppress(ConnectionResetError):  # closed over what was not read
            assert peer.recv(1) == b""


def test_a_crowd_of_strangers_is_turned_away_and_the_others_served(site: AttackedNode) -> None:
    """Otherwise one project could use up the node's files and threads by knocking."""
    from phems.engine import storage_service

    path = str(site.serving.control.storage_service.door.path)
    with contextlib.ExitStack() as stack:
        crowd = []
        for _ in range(storage_service.MAX_STRANGERS + 40):
            peer = stack.enter_context(socket.socket(socket.AF_UNIX))
            peer.settimeout(5)
            peer.connect(path)
            crowd.append(peer)
        for peer in crowd[-20:]:
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(1) == b"", "turned away at once"
    run_id = site.launch(INTRUDER, "plain_job")
    assert site.wait(run_id).is_success, "once the crowd has gone"


def test_a_code_server_s_socket_that_leads_elsewhere_is_not_followed(own_site: AttackedNode) -> None:
    """Otherwise the intruder could show the ward's definitions as its own, or the other way round."""
    site = own_site
    hosts = site.serving.control.hosts
    host = hosts.current(INTRUDER)
    assert host is not None
    place = host.plan.host_dir / "grpc.sock"
    place.unlink()
    place.symlink_to(hosts.location_socket(WARD))
    target = hosts.location_socket(INTRUDER)
    host.publish_socket(target)
    assert host.state.value == "FAILED"
    assert "socket" in host.error
    assert not target.is_symlink()
