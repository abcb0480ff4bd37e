"""The storage service over its real socket: who is let in, what is answered, when somebody is cut off."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from phems.contract.capability import Capability
from phems.contract.frames import receive_frame, send_frame
from phems.engine import storage_service
from phems.engine._dagster import EventLogEntry
from phems.engine.attempts import Attempts
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.doors import UnixDoor
from phems.engine.storage_service import MAX_REFUSALS, ServiceParts, StorageService
from phems.engine.tags import PROJECT_TAG
from phems.errors import InputError, PhemsError, RefusedError, UnavailableError
from phems.host.connections import unix_connection
from phems.host.storage_client import StorageClient

KEY = b"k" * 32


class Values:
    """What machines share, in a dict, by project and path."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def keep(self, project: str, path: str) -> None:
        self.kept[project, path] = f"fetched/{path}"

    def find(self, project: str, path: str) -> str | None:
        return self.kept.get((project, path))


@dataclass
class Door:
    """A running service, and what it told."""

    path: Path
    instance: dg.DagsterInstance
    authority: CapabilityAuthority
    attempts: Attempts
    live_hosts: set[tuple[str, str]] = field(default_factory=set)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    values: Values = field(default_factory=Values)

    def run(self, project: str) -> str:
        @dg.op
        def nothing() -> None:
            """Nothing."""

        @dg.job
        def empty() -> None:
            nothing()

        return self.instance.create_run_for_job(empty, tags={PROJECT_TAG: project}).run_id

    def step(self, project: str = "heart-attack", seconds: float = 60, **changes: Any) -> Capability:
        until = time.monotonic() + seconds
        capability = Capability(
            "step", project, until, "d", run_id=self.run(project), step_key="s", attempt=1
        )
        capability = replace(capability, **changes)
        self.attempts.begin(capability.run_id or "", capability.step_key or "", capability.attempt or 0)
        return capability

    def client(self, capability: Capability) -> StorageClient:
        return StorageClient(unix_connection(str(self.path)), lambda: self.authority.issue(capability))


@pytest.fixture
def door() -> Iterator[Door]:
    with tempfile.TemporaryDirectory(prefix="phems-") as folder, dg.DagsterInstance.ephemeral() as instance:
        made = Door(Path(folder) / "s.sock", instance, CapabilityAuthority(KEY), Attempts())
        service = StorageService(
            UnixDoor(made.path),
            ServiceParts(
                instance=instance,
                authority=made.authority,
                attempts=made.attempts,
                asset_prefixes=lambda project: project.replace("-", "_"),
                host_is_live=lambda project, digest: (project, digest) in made.live_hosts,
                register_output=lambda capability, path, _declared: {"path": path, "by": capability.step_key},
                audit_refusal=lambda capability, method, _reason: made.refusals.append(
                    (capability.project, method)
                ),
                values=made.values,
            ),
        )
        yield made
        service.close()
        assert not made.path.exists()


def events_of(run_id: str) -> list[EventLogEntry]:
    return [
        EventLogEntry(
            error_info=None,
            level=20,
            user_message=f"line {n}",
            run_id=run_id,
            timestamp=1.0,
            step_key="s",
            job_name="empty",
            dagster_event=None,
        )
        for n in range(3)
    ]


def test_a_step_writes_and_reads_its_own_run(door: Door) -> None:
    """Otherwise nothing that follows means anything."""
    step = door.step()
    client = door.client(step)
    client.call("events", "store_event_batch", (events_of(step.run_id or ""),), {})
    found = client.call("events", "get_records_for_run", (step.run_id,), {"limit": 10})
    assert [record.event_log_entry.user_message for record in found.records][-3:] == [
        "line 0",
        "line 1",
        "line 2",
    ]
    assert door.refusals == []


def test_another_project_s_run_looks_like_one_that_does_not_exist(door: Door) -> None:
    """Otherwise the names of runs are to be had by trying."""
    client = door.client(door.step())
    answers = []
    for run_id in (door.run("breast-cancer"), "no-such-run"):
        with pytest.raises(RefusedError) as refusal:
            client.call("events", "get_records_for_run", (run_id,), {})
        answers.append(str(refusal.value).replace(run_id, "RUN"))
    assert answers[0] == answers[1]
    assert door.refusals == [("heart-attack", "events.get_records_for_run")] * 2


@pytest.mark.parametrize(
    ("storage", "method", "error"),
    [
        ("runs", "delete_run", RefusedError),
        ("runs", "no_such_method", RefusedError),
        ("runs", "__init__", RefusedError),
        ("runs", "_instance", RefusedError),
        ("node", "stop", RefusedError),
    ],
)
def test_what_is_not_in_the_table_is_not_answered(
    storage: str, method: str, error: type[PhemsError], door: Door
) -> None:
    """Otherwise the table is a list of examples."""
    with pytest.raises(error):
        door.client(door.step()).call(storage, method, ("x",), {})
    assert len(door.refusals) == 1


def test_wrong_arguments_are_the_caller_s_error_and_no_refusal(door: Door) -> None:
    """Otherwise an author's mistake counts as an attack and cuts their step off."""
    client = door.client(door.step())
    with pytest.raises(InputError, match="wrong arguments"):
        client.call("runs", "has_run", (), {"no_such_argument": 1})
    assert door.refusals == []


def test_an_error_of_the_node_tells_its_kind_and_nothing_of_its_inside(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a database error carries an address or a password to project code."""

    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise ValueError("postgresql://user:secret@host")

    client = door.client(door.step())
    monkeypatch.setattr(door.instance.run_storage, "get_runs", broken)
    with pytest.raises(PhemsError) as error:
        client.call("runs", "get_runs", (), {})
    assert "ValueError" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_capability_dies_with_its_attempt(door: Door) -> None:
    """Otherwise a process that outlives its step goes on writing."""
    step = door.step()
    client = door.client(step)
    client.call("runs", "has_run", (step.run_id,), {})
    door.attempts.end(step.run_id or "", "s", 1)
    with pytest.raises(RefusedError, match="has ended"):
        client.call("runs", "has_run", (step.run_id,), {})
    with pytest.raises(RefusedError, match="has ended"):
        door.client(step).call("runs", "has_run", (step.run_id,), {})


def test_a_location_s_capability_lives_with_its_host(door: Door) -> None:
    """Otherwise a revoked revision's host keeps its door open."""
    location = Capability("location", "heart-attack", time.monotonic() + 60, "d")
    with pytest.raises(RefusedError, match="has ended"):
        door.client(location).call("runs", "get_runs", (), {})
    door.live_hosts.add(("heart-attack", "d"))
    assert door.client(location).call("runs", "get_runs", (), {}) == []


@pytest.mark.parametrize("hello", [None, [], {}, {"capability": 7}, {"capability": "forged"}, "x" * 1000])
def test_without_a_capability_nobody_gets_in(hello: object, door: Door) -> None:
    """Attack 13, at the wall: otherwise whatever can open the socket may ask."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(door.path))
        send_frame(peer, hello)
        answer = receive_frame(peer)
        assert isinstance(answer, dict)
        assert answer["error"]["type"] == "RefusedError"
        assert receive_frame(peer) is None


@pytest.mark.parametrize(
    "request_", [[], "x", {}, {"storage": "runs", "method": "get_runs", "args": [{"$": "x"}]}]
)
def test_a_request_without_a_form_is_answered_with_an_error(request_: object, door: Door) -> None:
    """Otherwise it ends the service's thread without a word to anybody."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(door.path))
        send_frame(peer, {"capability": door.authority.issue(door.step())})
        assert "result" in receive_frame(peer)  # type: ignore[operator]
        send_frame(peer, request_)
        assert "error" in receive_frame(peer)  # type: ignore[operator]


def test_who_keeps_being_refused_is_cut_off(door: Door) -> None:
    """Otherwise the audit log is filled by one loop in project code."""
    client = door.client(door.step())
    for _ in range(MAX_REFUSALS):
        with pytest.raises(RefusedError):
            client.call("runs", "wipe", (), {})
    assert len(door.refusals) == MAX_REFUSALS
    peer = client._peer
    assert peer is not None
    peer.settimeout(10)
    assert receive_frame(peer) is None


def test_one_project_s_connections_leave_room_for_another_s(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a project opens the door so often that no other gets through."""
    monkeypatch.setattr(storage_service, "MAX_CONNECTIONS_PER_PROJECT", 2)
    step = door.step()
    clients = [door.client(step) for _ in range(3)]
    for client in clients[:2]:
        client.call("runs", "has_run", (step.run_id,), {})
    with pytest.raises(UnavailableError, match="connections"):
        clients[2].call("runs", "has_run", (step.run_id,), {})
    other = door.step("breast-cancer")
    assert door.client(other).call("runs", "has_run", (other.run_id,), {}) is True


def test_a_long_step_renews_its_capability_while_it_lives(door: Door) -> None:
    """Otherwise a step of an hour fails after a quarter of one."""
    step = door.step(seconds=30)
    client = door.client(step)
    client.call("runs", "has_run", (step.run_id,), {})
    client._renew_at = time.monotonic()  # half of its life has passed
    client.renew_if_due()
    client.close()
    fresh = door.authority.verify(client._capability())
    assert fresh.expires_at > step.expires_at + 60
    assert (fresh.run_id, fresh.step_key, fresh.attempt) == (step.run_id, "s", 1)
    assert client.call("runs", "has_run", (step.run_id,), {}) is True


def test_an_expired_capability_answers_nothing_more(door: Door) -> None:
    """Otherwise a connection that was opened in time is good for ever."""
    step = door.step(seconds=0.3)
    client = door.client(step)
    client.call("runs", "has_run", (step.run_id,), {})
    client._renew_at = float("inf")
    deadline = time.monotonic() + 10
    while (refused := _refusal(client, step)) is None:
        assert time.monotonic() < deadline
    assert "expired" in refused


def test_outputs_are_registered_in_the_name_of_the_step(door: Door) -> None:
    """Otherwise a step registers files as another's."""
    answer = door.client(door.step()).call("outputs", "register", ("outputs/x.csv",), {})
    assert answer == {"path": "outputs/x.csv", "by": "s"}


def _refusal(client: StorageClient, step: Capability) -> str | None:
    try:
        client.call("runs", "has_run", (step.run_id,), {})
    except RefusedError as error:
        return str(error)
    return None


def test_a_step_finds_the_values_of_its_own_project_alone(door: Door) -> None:
    """Otherwise one project reads what another's steps passed on."""
    step = door.client(door.step())
    assert step.call("values", "keep", ("io/assets/heart/@value",), {}) is None
    assert step.call("values", "find", ("io/assets/heart/@value",), {}) == "fetched/io/assets/heart/@value"
    another = door.client(door.step(project="lungs"))
    assert another.call("values", "find", ("io/assets/heart/@value",), {}) is None
    assert list(door.values.kept) == [("heart-attack", "io/assets/heart/@value")]


def test_values_are_no_business_of_a_code_server_and_take_no_odd_arguments(door: Door) -> None:
    door.live_hosts.add(("heart-attack", "d"))
    location = door.client(Capability("location", "heart-attack", time.monotonic() + 60, "d"))
    with pytest.raises(RefusedError, match="Only a step"):
        location.call("values", "find", ("io/x",), {})
    with pytest.raises(InputError):
        door.client(door.step()).call("values", "keep", ("io/x", "io/y"), {})
    with pytest.raises(RefusedError, match=r"no values\.remove"):
        door.client(door.step()).call("values", "remove", ("io/x",), {})
    assert not door.values.kept
