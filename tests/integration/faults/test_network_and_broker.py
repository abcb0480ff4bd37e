"""The network fails, the broker is away: nothing is lost, nothing is done twice, and every run ends right."""

from __future__ import annotations

import time
from collections import Counter

from tests.integration.faults.faulty_node import FaultyNode
from tests.server_stories import executed, go_on, waiting

STEPS = ["counted", "waits", "counted_after"]
AWAY_SECONDS = 20.0
SECONDS = 60.0


def launched(faulty: FaultyNode, count: int) -> list[str]:
    """So many runs whose steps write down that they ran."""
    runs = [faulty.node.launch("waiting") for _ in range(count)]
    for run in runs:
        go_on(faulty.node, run)
    return runs


def end_well(faulty: FaultyNode, runs: list[str]) -> None:
    """All have succeeded, and each of their steps has run once, in order."""
    states = faulty.ended(runs, SECONDS)
    for run in runs:
        story = f"{faulty.node.story(run)}\n{faulty.site.worker_log()[-5000:]}"
        assert states[run] == "SUCCESS", story
        assert executed(faulty.node, run) == STEPS, story
        succeeded = Counter(e.step_key for e in faulty.node.events(run) if e.is_step_success)
        assert succeeded == dict.fromkeys(STEPS, 1), story


def test_a_broker_that_is_away_for_twenty_seconds_costs_time_alone(faulty: FaultyNode) -> None:
    """Otherwise an upgrade of the broker is a night's work for everybody who has runs on the way."""
    under_way = waiting(faulty.node)
    begun = time.monotonic()
    with faulty.rabbitmq.stopped():
        meanwhile = launched(faulty, 4)
        go_on(faulty.node, under_way)
        faulty.node.wait_for(
            lambda: time.monotonic() - begun >= AWAY_SECONDS, "the end of the outage", AWAY_SECONDS + 5
        )
    end_well(faulty, [under_way, *meanwhile])


def test_connections_to_the_broker_are_cut_at_random(faulty: FaultyNode) -> None:
    """A switch that drops out for a moment, again and again, as switches do."""
    with faulty.to_broker.cutting(seed=31, between=(0.2, 1.0)) as cuts:
        runs = launched(faulty, 6)
        faulty.ended(runs, SECONDS)
    end_well(faulty, runs)
    assert sum(cuts) >= len(runs), "hardly anything was cut"


def test_connections_to_postgres_are_cut_at_random(faulty: FaultyNode) -> None:
    """Events, leases and decisions are written again until they are there, and are there once."""
    runs = [faulty.node.launch("waiting") for _ in range(6)]
    with faulty.to_postgres.cutting(seed=32, between=(0.5, 3.0)) as cuts:
        # Their steps wait for that: on a quick machine they would have ended before.
        faulty.node.wait_for(lambda: sum(cuts) >= len(runs), "connections that are cut", SECONDS)
        for run in runs:
            go_on(faulty.node, run)
        faulty.ended(runs, SECONDS)
    end_well(faulty, runs)
