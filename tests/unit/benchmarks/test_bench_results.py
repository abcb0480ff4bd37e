"""What the benchmark makes of its samples: a mistake here would claim a speed that nobody has."""

from __future__ import annotations

import pytest
from benchmarks.configurations import IN_PROCESS, MULTIPROCESS, NODE, QUEUE
from benchmarks.results import Measurement, drawn_out, ratios


def _found(configuration: str, work: str, *samples: float, cpu: float | None = None) -> Measurement:
    return Measurement(configuration, work, "s", list(samples), cpu)


def test_the_node_is_held_against_the_best_stock_configuration() -> None:
    """Held against a slow one, the ratio would flatter."""
    found = ratios(
        [
            _found(NODE, "one_op", 0.1, 0.2, 0.3, cpu=0.1),
            _found(IN_PROCESS, "one_op", 2.0, cpu=3.0),
            _found(QUEUE, "one_op", 5.0, cpu=2.5),
            _found(MULTIPROCESS, "one_op", 6.0, cpu=7.0),
        ]
    )
    assert found["one_op"] == 10.0
    assert found["cpu_per_run"] == 25.0


def test_more_runs_a_minute_is_better() -> None:
    """For a rate the peer's largest is its best, and larger is better for the node."""
    found = ratios(
        [_found(NODE, "runs_50", 600.0), _found(IN_PROCESS, "runs_50", 30.0), _found(QUEUE, "runs_50", 20.0)]
    )
    assert found["runs_50"] == 20.0


def test_the_fan_out_is_held_against_each_executor_by_name() -> None:
    """The two targets differ by more than an order of magnitude: mixed up, both would look met."""
    found = ratios(
        [
            _found(NODE, "fanout_100", 3.0),
            _found(IN_PROCESS, "fanout_100", 9.0),
            _found(MULTIPROCESS, "fanout_100", 300.0),
        ]
    )
    assert found["fanout_100"] == 3.0
    assert found["fanout_100_vs_multiprocess"] == 100.0


@pytest.mark.parametrize("missing", [NODE, IN_PROCESS])
def test_without_a_figure_there_is_no_ratio(missing: str) -> None:
    """A side that failed must not turn into a number."""
    both = [_found(NODE, "one_op", 0.2), _found(IN_PROCESS, "one_op", 2.0)]
    for measurement in both:
        if measurement.configuration == missing:
            measurement.problem = "failed: 1 of 7 runs did not succeed"
    assert ratios(both)["one_op"] is None
    assert ratios([m for m in both if m.configuration != missing])["one_op"] is None


def test_a_hundred_branches_are_drawn_out_on_the_line_through_two_widths() -> None:
    """A start-up that is paid once must not be multiplied with the width."""
    assert drawn_out([(12, 34.0), (4, 18.0)], 100) == pytest.approx(10 + 2 * 100)


def test_a_quiet_measurement_has_no_remarks() -> None:
    """A remark on everything is read by nobody."""
    assert _found(NODE, "one_op", 1.0, 1.1, 1.4).remarks == []


def test_scattered_samples_and_busy_machines_are_called_noisy() -> None:
    """A reader would trust a figure that the next run does not give again."""
    scattered = _found(NODE, "one_op", 1.0, 1.0, 2.0)
    assert scattered.median == 1.0
    assert "from 1 to 2" in scattered.remarks[0]
    busy = _found(NODE, "one_op", 1.0)
    busy.foreign_share = 0.4
    assert "40% of the CPU" in busy.remarks[0]
