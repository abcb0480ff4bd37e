"""The clock of a machine is set by an hour in the middle of runs: they end as if nothing had been."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.attack.server.test_34_leader_killed import standing_by
from tests.nodes import RunningNode, succeeded
from tests.server_nodes import ServerSite
from tests.server_stories import ends_well, go_on, until_served, waiting, worker_pids

HOUR = 3600.0
CACHED_SECONDS = 1  # each process looks into the file so often; to look at each reading costs minutes of CPU
SLEEPING = Path(__file__).parent / "under_libfaketime"


@dataclass
class Clock:
    """The clock of what is started while it is installed; it is set by writing down how far it is out."""

    file: Path

    def set(self, seconds: float) -> None:
        """Be so far from what is right, from this moment on."""
        written = self.file.with_suffix(".new")
        written.write_text(f"{seconds:+.0f}")
        written.replace(self.file)
        time.sleep(2 * CACHED_SECONDS + 0.1)  # it counts in whole seconds


@pytest.fixture
def clock(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    server_node: RunningNode,
    server_node_site: ServerSite,
) -> Iterator[Clock]:
    """It is that of the worker, and of every control process that is started."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "libfaketime is missing: make system-packages (as root)"
    clock = Clock(tmp_path / "clock")
    clock.set(0)
    server_node_site.stop_workers()
    with monkeypatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(libraries[0]))
        patch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock.file))
        patch.setenv("FAKETIME_CACHE_DURATION", str(CACHED_SECONDS))
        # As with a real one: what counts seconds since the start goes on as it did.
        patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        patch.setenv("PYTHONPATH", str(SLEEPING))
        server_node_site.start_worker()
        until_served(server_node)
        yield clock
    server_node_site.stop_workers()
    server_node_site.start_worker()


def test_a_clock_that_is_set_costs_no_run_anything(
    clock: Clock, server_node: RunningNode, server_node_site: ServerSite
) -> None:
    """Otherwise the night on which a time server is wrong costs the runs of that night."""
    with standing_by(server_node, server_node_site):
        server_node.ready("shapes")
        workers = worker_pids(server_node)
        for seconds in (-HOUR, HOUR):
            clock.set(0)
            under_way = waiting(server_node)
            retrying = server_node.launch("retrying_in_a_while")
            server_node.wait_for(
                lambda run=retrying: any(e.is_step_up_for_retry for e in server_node.events(run)),
                "its first failure",
            )
            clock.set(seconds)
            go_on(server_node, under_way)
            begun = server_node.run("diamond")
            assert succeeded(begun), server_node.story(begun.run_id) + server_node_site.control_log()
            out = server_node.instance.get_run_record_by_id(begun.run_id).end_time - time.time()
            assert abs(out - seconds) < HOUR / 2, "the clock was not set\n" + server_node_site.control_log()
            ends_well(server_node, server_node_site, under_way, ["counted", "waits", "counted_after"])
            again = ["works_in_a_while", "works_in_a_while", "counted_after"]
            ends_well(server_node, server_node_site, retrying, again)
        assert worker_pids(server_node) == workers, "a worker was given up"
