"""The pool of project hosts, with hosts that a test plays: states, pauses, who serves and who is ended."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from phems.contract.host_messages import HostFailed, HostLoaded, StartStep, StepExited, pack, unpack
from phems.contract.step_order import ResourceLimits, StepOrder
from phems.engine import hosts
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.host_connection import StepEnd, StepProcess
from phems.engine.hosts import Host, HostPool, HostState
from phems.engine.run_data import ShownFile
from phems.engine.sandbox import HostPlan, HostProcess
from phems.errors import UnavailableError

LIMITS = ResourceLimits(1, 1, 1, 1)
SECONDS = 10.0


class Played:
    """A host process that says and does what the test wants."""

    pid = 4711

    def __init__(self) -> None:
        self.control, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ended = threading.Event()
        self.reason = ""

    def say(self, packet: bytes) -> None:
        self.theirs.send(packet)

    def die(self) -> None:
        self.theirs.close()
        self.ended.set()

    def wait(self) -> int:
        self.ended.wait(SECONDS)
        return 0

    def kill(self) -> None:
        self.die()

    def why_ended(self) -> str:
        return self.reason


@dataclass
class Launcher:
    """Plays hosts; `refusal` is raised instead while it is set."""

    folder: Path
    played: list[Played] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    refusal: Exception | None = None
    is_isolating: bool = True

    def describe(self) -> str:
        return "played"

    def start(self, plan: HostPlan) -> HostProcess:
        if self.refusal is not None:
            raise self.refusal
        process = Played()
        with self.changed:
            self.played.append(process)
            self.changed.notify_all()
        return process

    def nth(self, number: int) -> Played:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.played) >= number, SECONDS)
        return self.played[number - 1]


class HandTimer:
    """A timer that goes off when the test says so."""

    made: list[HandTimer] = []  # noqa: RUF012

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self.seconds, self.act, self.daemon, self.is_on = seconds, act, False, False
        HandTimer.made.append(self)

    def start(self) -> None:
        self.is_on = True

    def cancel(self) -> None:
        self.is_on = False

    @classmethod
    def pending(cls) -> list[HandTimer]:
        return [timer for timer in cls.made if timer.is_on]


@dataclass
class Stage:
    """A pool, its launcher, and a wait for what it tells."""

    pool: HostPool
    launcher: Launcher
    changed: threading.Condition
    shown: dict[str, ShownFile] = field(default_factory=dict)

    def replace_data(self, inode: int) -> None:
        self.shown["wards"] = ShownFile("csv:wards.csv", Path("wards.csv"), (1, inode))

    def run_step(self, host: Host, played: Played) -> threading.Event:
        """Start a step there; gives its end."""
        ended = threading.Event()
        assert host.connection is not None
        host.connection.start_step(a_step(self.launcher.folder, lambda _end: ended.set()))
        assert isinstance(unpack(played.theirs.recv(1000)), StartStep)
        return ended

    def until(self, look: Callable[[], Any]) -> None:
        with self.changed:
            assert self.changed.wait_for(look, SECONDS)

    def loaded(self, number: int, host: Host) -> Played:
        played = self.launcher.nth(number)
        grpc = host.plan.host_dir / "grpc.sock"
        with socket.socket(socket.AF_UNIX) as code_server:
            code_server.bind(str(grpc))
        played.say(pack(HostLoaded(0.5, "rlimit")))
        self.until(lambda: host.state is HostState.READY)
        return played


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("h")
    changed = threading.Condition()
    HandTimer.made = []
    monkeypatch.setattr(hosts.threading, "Timer", HandTimer)

    def plan_for(project: str, digest: str) -> HostPlan:
        host_dir = folder / f"{project}-{digest}"
        host_dir.mkdir(exist_ok=True)
        return HostPlan(
            project=project,
            location_name=project,
            code_digest=digest,
            code_dir=folder,
            root="src",
            module="m",
            asset_prefix=project,
            python=None,
            artifact_dir=folder,
            host_dir=host_dir,
            capability_file=folder / f"{project}-{digest}-token",
            storage_socket=folder / "s",
            log_file=folder / "log",
            sources={},
            limits=LIMITS,
        )

    def tell(_project: str) -> None:
        with changed:
            changed.notify_all()

    launcher = Launcher(folder)
    shown: dict[str, ShownFile] = {}
    authority = CapabilityAuthority(b"k" * 32)
    pool = HostPool(launcher, authority, plan_for, folder, tell, lambda _project: dict(shown))
    yield Stage(pool, launcher, changed, shown)
    pool.close()


def test_pauses_between_restarts_double_up_to_a_limit(stage: Stage) -> None:
    """Otherwise code that dies as it loads keeps the machine busy for ever."""
    host = stage.pool.ensure("p", "d1")
    pauses = []
    for number in range(1, 9):
        stage.launcher.nth(number).die()
        stage.until(lambda: host.state is HostState.RESTARTING and HandTimer.pending())
        (timer,) = HandTimer.pending()
        pauses.append(timer.seconds)
        timer.cancel()
        timer.act()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert host.restarts == 8


def test_a_host_that_served_for_a_while_begins_with_a_short_pause(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the third mishap in a month stops a project for a minute."""
    clock = [0.0]
    monkeypatch.setattr(hosts.time, "monotonic", lambda: clock[0])
    host = stage.pool.ensure("p", "d1")
    for number in (1, 2):
        stage.launcher.nth(number).die()
        stage.until(lambda: host.state is HostState.RESTARTING and HandTimer.pending())
        timer = HandTimer.pending()[-1]
        timer.cancel()
        timer.act()
    assert timer.seconds == 2
    played = stage.loaded(3, host)
    clock[0] = hosts.STEADY_SECONDS + 1
    played.die()
    stage.until(lambda: host.state is HostState.RESTARTING and HandTimer.pending())
    assert HandTimer.pending()[-1].seconds == 1
    assert host.restarts == 3


def test_why_a_host_is_away_is_told_until_it_is_back(stage: Stage) -> None:
    """Otherwise people look for an error in their code while the cluster starts its pod."""
    host = stage.pool.ensure("p", "d1")
    played = stage.loaded(1, host)
    played.reason = "the pod does not answer"
    played.die()
    stage.until(lambda: host.state is HostState.RESTARTING and HandTimer.pending())
    assert host.error == "the pod does not answer"
    (timer,) = HandTimer.pending()
    timer.cancel()
    timer.act()
    stage.loaded(2, host)
    assert host.error == ""


def test_code_that_does_not_load_is_told_and_not_tried_again(stage: Stage) -> None:
    """Otherwise a typing error is retried for ever and its message never seen."""
    stage.pool.activate("p", "d1")
    stage.launcher.nth(1).say(pack(HostFailed("SyntaxError: here")))
    stage.until(lambda: stage.pool.status()[0].state is HostState.FAILED)
    assert "SyntaxError: here" in stage.pool.status()[0].error
    assert HandTimer.pending() == []
    assert len(stage.launcher.played) == 1


@pytest.mark.parametrize("error", [UnavailableError("no namespaces here"), PermissionError("not yours")])
def test_a_sandbox_that_does_not_start_is_told(stage: Stage, error: Exception) -> None:
    """Otherwise a project stays at `loading` and nobody learns why."""
    stage.launcher.refusal = error
    stage.pool.activate("p", "d1")
    stage.until(lambda: stage.pool.status()[0].state is HostState.FAILED)
    assert str(error) in stage.pool.status()[0].error


def test_code_that_loads_for_too_long_is_given_up(stage: Stage) -> None:
    """Attack 23, in part: otherwise definitions that hang hold a host for ever."""
    host = stage.pool.ensure("p", "d1")
    stage.launcher.nth(1)
    stage.until(HandTimer.pending)
    HandTimer.pending()[0].act()
    assert host.state is HostState.FAILED
    assert "did not load within" in host.error


def test_a_host_that_talks_nonsense_is_ended(stage: Stage) -> None:
    """Otherwise project code that took over its host plays games with the control plane."""
    host = stage.pool.ensure("p", "d1")
    played = stage.launcher.nth(1)
    played.say(b"[" * 50_000)
    stage.until(lambda: host.state is HostState.RESTARTING)
    assert played.ended.is_set()


def test_the_old_host_serves_until_the_new_one_can_and_ends_when_idle(stage: Stage) -> None:
    """Otherwise an approval leaves a project without a code server, or kills what runs."""
    stage.pool.activate("p", "d1")
    old = stage.pool.ensure("p", "d1")
    played = stage.loaded(1, old)
    ends: list[StepEnd] = []
    ended = threading.Event()
    assert old.connection is not None
    old.connection.start_step(a_step(stage.launcher.folder, lambda end: (ends.append(end), ended.set())))
    assert isinstance(unpack(played.theirs.recv(1000)), StartStep)

    stage.pool.activate("p", "d2")
    new = stage.pool.ensure("p", "d2")
    assert stage.pool.location_socket("p").exists()
    stage.loaded(2, new)
    assert old.state is HostState.READY

    played.say(pack(StepExited(1, 0, 0.1, 10)))
    assert ended.wait(SECONDS)
    stage.pool.step_ended(ends[0])
    assert old.state is HostState.ENDED
    assert [status.code_digest for status in stage.pool.status()] == ["d2"]
    assert stage.pool.is_live("p", "d2")
    assert not stage.pool.is_live("p", "d1")


def test_a_host_that_shows_other_data_begins_nothing_and_ends_with_its_last_step(stage: Stage) -> None:
    """Otherwise a file that was replaced, or a grant that was taken away, stays readable while steps run."""
    stage.replace_data(1)
    stage.pool.activate("p", "d1")
    old = stage.pool.ensure("p", "d1")
    played = stage.loaded(1, old)
    assert stage.pool.ensure("p", "d1") is old
    ended = stage.run_step(old, played)

    stage.replace_data(2)
    new = stage.pool.ensure("p", "d1")
    assert new is not old
    assert stage.pool.ensure("p", "d1") is new, "one is enough"
    assert stage.pool.current("p") is new
    assert len(stage.pool.connections()) == 1, "what runs in the old one can be cancelled"
    (old.plan.host_dir / "grpc.sock").unlink(missing_ok=True)
    stage.loaded(2, new)
    assert [(each.is_current, each.running_steps) for each in stage.pool.status()] == [(True, 0), (False, 1)]

    played.say(pack(StepExited(1, 0, 0.1, 10)))
    assert ended.wait(SECONDS)
    stage.pool.step_ended(StepEnd("p", "run", "step", 1, 0, is_lost=False))
    assert old.state is HostState.ENDED
    assert [each.is_current for each in stage.pool.status()] == [True]


def test_an_idle_host_that_shows_other_data_serves_until_the_new_one_can(stage: Stage) -> None:
    """Otherwise a project cannot be looked at for as long as its definitions take to load."""
    stage.pool.activate("p", "d1")
    old = stage.pool.ensure("p", "d1")
    stage.loaded(1, old)
    stage.pool.renew("p")
    assert stage.pool.current("p") is old
    stage.replace_data(1)
    stage.pool.renew("p")
    overtaken = stage.pool.ensure("p", "d1")
    stage.launcher.nth(2)
    stage.replace_data(2)
    new = stage.pool.ensure("p", "d1")
    assert overtaken.state is HostState.ENDED, "it was of no use to anybody yet"
    assert old.state is HostState.READY
    stage.launcher.nth(3)
    (old.plan.host_dir / "grpc.sock").unlink(missing_ok=True)
    stage.loaded(3, new)
    stage.until(lambda: old.state is HostState.ENDED)


def test_a_host_that_died_is_not_started_on_data_that_is_not_there_any_more(stage: Stage) -> None:
    """Otherwise a data file that was moved keeps its project from being served again."""
    stage.replace_data(1)
    stage.pool.activate("p", "d1")
    old = stage.pool.ensure("p", "d1")
    stage.loaded(1, old).die()
    stage.until(lambda: old.state is HostState.RESTARTING and HandTimer.pending())
    stage.shown.clear()
    HandTimer.pending()[-1].act()
    new = stage.pool.current("p")
    assert new is not None
    assert new is not old
    assert (old.state, new.shown) == (HostState.ENDED, {})
    stage.pool.start_again(old)
    assert stage.pool.current("p") is new, "one that was replaced is not started at all"


def test_steps_of_a_host_that_dies_are_reported_as_lost(stage: Stage) -> None:
    """Otherwise a run waits for ever for a step that nobody runs."""
    host = stage.pool.ensure("p", "d1")
    played = stage.loaded(1, host)
    ended = threading.Event()
    ends: list[StepEnd] = []

    def on_end(end: StepEnd) -> None:
        ends.append(end)
        ended.set()

    assert host.connection is not None
    host.connection.start_step(a_step(stage.launcher.folder, on_end))
    played.die()
    assert ended.wait(SECONDS)
    assert [(end.step_key, end.is_lost) for end in ends] == [("step", True)]


def test_without_approved_code_nothing_is_served(stage: Stage) -> None:
    """Otherwise a revoked revision can still be looked at and launched."""
    stage.pool.activate("p", "d1")
    host = stage.pool.ensure("p", "d1")
    stage.loaded(1, host)
    stage.until(lambda: stage.pool.location_socket("p").exists())
    stage.pool.deactivate("p")
    assert stage.pool.projects() == []
    stage.pool.renew("p")
    assert stage.pool.status() == []
    assert not stage.pool.location_socket("p").exists()
    assert host.state is HostState.ENDED


def test_a_code_server_s_socket_that_is_a_link_is_not_published(stage: Stage) -> None:
    """Otherwise a project shows another's code server as its own."""
    stage.pool.activate("p", "d1")
    host = stage.pool.ensure("p", "d1")
    played = stage.launcher.nth(1)
    other = stage.launcher.folder / "other.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(other))
    (host.plan.host_dir / "grpc.sock").symlink_to(other)
    played.say(pack(HostLoaded(0.5, "rlimit")))
    stage.until(lambda: host.state is HostState.FAILED)
    assert "cannot be used" in host.error
    assert not stage.pool.location_socket("p").exists()


def test_a_host_is_asked_at_its_socket_as_soon_as_it_is_said_to_be_ready(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise who launches at that moment asks the host before it, which may be dead."""
    publish, states = Host.publish_socket, []

    def publishing(host: Host, target: Path) -> None:
        states.append(host.state)
        publish(host, target)

    monkeypatch.setattr(Host, "publish_socket", publishing)
    stage.pool.activate("p", "d1")
    host = stage.pool.current("p")
    assert host is not None
    stage.loaded(1, host)
    assert states[0] is HostState.LOADING


def a_step(folder: Path, on_end: Callable[[StepEnd], None]) -> StepProcess:
    order = StepOrder("token", "{}", "step", 1, "{}", "step-1", LIMITS)
    return StepProcess("p", "run", "step", 1, order, folder / "o" / "out", folder / "o" / "err", on_end)
