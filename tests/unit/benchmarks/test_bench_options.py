"""The options of `python -m benchmarks`, and what it reads from the kernel's text."""

from __future__ import annotations

import pytest
from benchmarks.__main__ import configurations, is_whole, parse
from benchmarks.configurations import MULTIPROCESS, NODE, WORKS
from benchmarks.memory import role_of, sizes_mb
from benchmarks.process_group import usage_seconds


def test_everything_is_measured_by_default() -> None:
    """`make bench` gives no options and must give the whole picture."""
    options = parse([])
    assert is_whole(options)
    assert {c.side for c in configurations(options)} == {"ours", "stock"}


@pytest.mark.parametrize("words", [["--quick"], ["--only", "one_op"], ["--side", "ours"]])
def test_a_partial_run_never_takes_the_place_of_a_whole_one(words: list[str]) -> None:
    """A quick look would overwrite the results that the documentation cites."""
    assert not is_whole(parse(words))


def test_one_side_alone() -> None:
    """Whoever works on the node need not wait for its peers."""
    assert [c.key for c in configurations(parse(["--side", "ours"]))] == [NODE]


def test_works_are_done_in_their_own_order() -> None:
    """However they are named."""
    assert parse(["--only", "runs_50, one_op"]).only == ["one_op", "runs_50"]


def test_an_unknown_work_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error would measure nothing and look like success."""
    with pytest.raises(SystemExit):
        parse(["--only", "one_op,fanout"])
    said = capsys.readouterr().err
    assert "no such work: fanout" in said
    assert all(work in said for work in WORKS)


@pytest.mark.parametrize(("words", "widths"), [([], (100,)), (["--quick"], (4, 12))])
def test_a_quick_look_alone_draws_out_the_fan_out(words: list[str], widths: tuple[int, ...]) -> None:
    """What is drawn out of two noisy points would be cited as a measurement."""
    (chosen,) = [c for c in configurations(parse(words)) if c.key == MULTIPROCESS]
    assert chosen.fanout_widths == widths


def test_smaps_rollup_is_read_in_megabytes() -> None:
    """KiB taken for kB would be 2 % off, pages taken for KiB a factor of four."""
    text = "00400000-7ffc rollup\nRss:   2000 kB\nPss:   1000 kB\nPss_Anon:   900 kB\n"
    assert sizes_mb(text) == (2.048, 1.024)


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("python -m dagster-webserver -p 1", "web server"),
        ("postgres: checkpointer", "Postgres"),
        ("python -m phems.host", "project host and its code server"),
        ("/opt/other --flag", "/opt/other"),
    ],
)
def test_processes_are_told_apart_by_their_command(command: str, role: str) -> None:
    """The table of memory is of use only when it says whose it is."""
    assert role_of(command) == role


def test_cpu_time_of_a_cgroup_of_version_2() -> None:
    """Microseconds; a file without the line is no zero."""
    assert usage_seconds("usage_usec 1500000\nuser_usec 1\n") == 1.5
    with pytest.raises(ValueError, match="usage_usec"):
        usage_seconds("user_usec 1\n")
