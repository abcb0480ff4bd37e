"""A step's pod from its command on: real processes, as the Job has them started, against a wall over TLS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue

import pytest
from tests.tls_wall import TlsWall, tls_wall
from tests.warm_jobs import HOST, Warm

from phems.contract.pod import ADDRESS_FILE, CAPABILITY_FILE, CERTIFICATE_FILE, MEANINGS, PodExit, of_step
from phems.contract.step_order import HostOrder, ResourceLimits, StepOrder
from phems.engine._dagster import serialize_value
from phems.engine.step_output import StepOutput
from phems.errors import InputError
from phems.host.__main__ import main
from phems.host.connections import tls_connection
from phems.render.step_job import STEP_COMMAND

LIMITS = ResourceLimits(memory=1 << 32, cpu_seconds=60, processes=100, file_size=1 << 30)
BROKEN = "raise RuntimeError('a package is missing')\n"
WAITS = """
from pathlib import Path

import dagster as dg

print("imported")
(Path(__file__).parent / "loaded").touch()


@dg.op
def nothing():
    print("executed")


@dg.job
def empty():
    nothing()


defs = dg.Definitions(jobs=[empty])
"""


@pytest.fixture(scope="module")
def wall() -> Iterator[TlsWall]:
    with tls_wall() as made:
        yield made


class Pod:
    """A pod's folder, and its process."""

    def __init__(self, folder: Path, wall: TlsWall, token: str, certificate: str | None = None) -> None:
        folder.mkdir()
        (folder / ADDRESS_FILE).write_text(wall.address)
        (folder / CERTIFICATE_FILE).write_text(certificate or wall.certificate)
        (folder / CAPABILITY_FILE).write_text(token)
        self.process = subprocess.Popen(
            [sys.executable, *STEP_COMMAND[1:-1], str(folder)],
            cwd=folder,
            env={"PATH": os.environ["PATH"]},
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self) -> tuple[int, str]:
        """Its exit code, and what it said."""
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said


def ordered(wall: TlsWall, folder: Path, module: str, code: str) -> str:
    """The capability of a step whose order names this code; gives its token."""
    (folder / f"{module}.py").write_text(code)
    run = wall.run("heart")
    key = f"s{module}"
    host = HostOrder(
        project="heart",
        location_name="heart",
        code_digest="d",
        module=module,
        root=str(folder),
        capability_file="",
        storage_socket="",
        code_server_socket="",
        artifact_dir=str(folder),
        data_dir=str(folder),
        sources={},
        limits=LIMITS,
        asset_prefix="heart",
    )
    step = StepOrder("", serialize_value(run), key, 1, "null", "s-1", LIMITS)
    wall.orders[key] = {"host": host.to_json(), "step": step.to_json()}
    capability = replace(wall.step(run_id=run.run_id), step_key=key)
    wall.attempts.begin(run.run_id, key, 1)
    return wall.authority.issue(capability)


def test_a_pod_that_does_not_come_to_its_step_says_why_by_its_exit_code(
    wall: TlsWall, tmp_path: Path
) -> None:
    """Otherwise a run fails with a number that nobody can read; the words are in the table of the runner."""
    with tls_wall() as other:
        pods = {
            PodExit.REFUSED: Pod(tmp_path / "refused", wall, "no-capability"),
            PodExit.NOT_REACHED: Pod(tmp_path / "elsewhere", wall, "none", other.certificate),
            PodExit.NOT_LOADED: Pod(tmp_path / "broken", wall, ordered(wall, tmp_path, "broken", BROKEN)),
        }
        for code, pod in pods.items():
            ended, said = pod.ended()
            assert ended == code, said
    events = [
        record.event_log_entry.message
        for run in wall.instance.get_runs()
        for record in wall.instance.get_records_for_run(run.run_id).records
    ]
    assert any("do not load in the step's pod" in each and "a package is missing" in each for each in events)


def test_a_second_pod_of_an_attempt_runs_nothing_and_waits_to_be_deleted(
    wall: TlsWall, tmp_path: Path
) -> None:
    """Kubernetes may start two: both would do the work, or the end of one would be the end of both."""
    token = ordered(wall, tmp_path, "twice", BROKEN)
    first, second = Pod(tmp_path / "first", wall, token), Pod(tmp_path / "second", wall, token)
    ends: Queue[Pod] = Queue()
    for pod in (first, second):
        threading.Thread(target=lambda pod=pod: (pod.process.wait(120), ends.put(pod)), daemon=True).start()
    ended = ends.get(timeout=120)
    assert ended.process.returncode == PodExit.NOT_LOADED
    waiting = second if ended is first else first
    assert wall.turned_away.wait(120)
    waiting.process.terminate()
    assert waiting.ended()[0] == 128 + signal.SIGTERM


def waiting(wall: TlsWall, folder: Path, module: str, code: str) -> Warm:
    """A worker with one warm pod, which is to load this code."""
    (folder / f"{module}.py").write_text(code)
    here = {"root": str(folder), "artifact_dir": str(folder), "data_dir": str(folder)}
    warm = Warm(wall, host=replace(HOST, module=module, **here))
    warm.jobs.until(lambda jobs: "warm-1" in jobs.made)
    return warm


def test_a_pod_that_waits_loads_once_and_carries_out_the_step_that_comes(
    wall: TlsWall, tmp_path: Path
) -> None:
    """It imports before there is a step; what it prints then is kept with the step's own output."""
    warm = waiting(wall, tmp_path, "heart_waits", WAITS)
    wall.output = StepOutput(tmp_path / "logs", 1 << 20)
    pod = Pod(tmp_path / "warm", wall, warm.token("warm-1"))
    warm.until((tmp_path / "loaded").exists)
    task = warm.task("nothing")
    warm.carried(task)
    assert pod.ended() == (0, "")
    printed = (tmp_path / "logs" / task.run_id / "compute_logs" / "nothing-1.out").read_text()
    assert printed.split() == ["imported", "executed"]
    cpu_seconds, max_rss_kib = wall.used[-1]
    assert 0 < cpu_seconds < 600, "of the process that loaded and executed"
    assert max_rss_kib > 0
    events = [each.event_log_entry for each in wall.instance.get_records_for_run(task.run_id).records]
    assert "A warm pod carries this step out" in events[0].message
    assert "STEP_SUCCESS" in {each.dagster_event.event_type_value for each in events if each.dagster_event}
    warm.pods.close()


def test_a_pod_that_comes_to_no_step_says_why_by_its_exit_code(wall: TlsWall, tmp_path: Path) -> None:
    """Its worker makes the next one later, and the run of a step that goes cold says the same."""
    warm = waiting(wall, tmp_path, "heart_breaks", BROKEN)
    assert Pod(tmp_path / "broken", wall, warm.token("warm-1")).ended() == (PodExit.NOT_LOADED, "")
    warm.pods.close()
    warm = waiting(wall, tmp_path, "heart_waits", WAITS)
    pod = Pod(tmp_path / "unwanted", wall, warm.token("warm-1"))
    warm.until((tmp_path / "loaded").exists)
    warm.pods.serve("e")
    assert pod.ended() == (PodExit.REFUSED, "")
    warm.pods.close()


def test_each_exit_code_of_a_pod_has_a_meaning_and_no_step_can_borrow_it() -> None:
    assert set(MEANINGS) == set(PodExit)
    assert [of_step(code) for code in (0, 3, *PodExit)] == [0, 3, 1, 1, 1]


@pytest.mark.parametrize("arguments", [[], ["--step"], ["three"], ["--step", "a", "b"]])
def test_a_start_that_nobody_ordered_is_refused(arguments: list[str]) -> None:
    with pytest.raises(InputError, match="file descriptor"):
        main(arguments)


@pytest.mark.parametrize("address", ["", "7443", "host:", "host:port"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(InputError, match="no address"):
        tls_connection(address, "")
