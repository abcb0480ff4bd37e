"""The page and the document of results: what is not in them was dropped in silence."""

from __future__ import annotations

import json

from benchmarks import report
from benchmarks.configurations import CONFIGURATIONS, IN_PROCESS, NODE, WORKS
from benchmarks.gateway import RUNS_LIST, Answers
from benchmarks.memory import Share
from benchmarks.results import TARGETS, Measurement
from benchmarks.session import Rest, Session

ABOUT = {
    "date": "2030-01-02 03:04 UTC",
    "quick": False,
    "machine": {"processor": "abacus", "cores": "2"},
    "versions": {"dagster": "1.2.3"},
}


def _session() -> Session:
    return Session(
        measurements=[
            Measurement(NODE, "one_op", "s", [0.2], 0.1),
            Measurement(IN_PROCESS, "one_op", "s", [3.0], 4.0),
            Measurement(NODE, "fanout_100", "s", [3.0]),
            Measurement(IN_PROCESS, "fanout_100", "", problem="failed: 1 of 1 runs did not succeed"),
        ],
        rest=[
            Rest("PHEMS node", "plain", [Share("control plane", 1, 200.0, 150.0)], 0.5),
            Rest("PHEMS node", "example", [Share("control plane", 1, 800.0, 700.0)], 0.5),
            Rest("stock Dagster", "plain", problem="did not start: no room | left"),
        ],
        gateway=[Answers(RUNS_LIST, [0.5, 0.5, 0.5], [0.4, 0.4, 0.4]), Answers("page: home", [0.1, 0.2])],
        cold_starts={"python -c 'import dagster'": 1.5},
        cpu_method="an abacus",
        remarks=["sandbox: bubblewrap"],
        seconds=60.0,
    )


def test_the_document_holds_the_ratios_under_their_names() -> None:
    """Whoever reads results.json by program looks for these."""
    document = json.loads(json.dumps(report.document(_session(), ABOUT, CONFIGURATIONS)))
    assert set(document["ratios"]) == {target.key for target in TARGETS} | {"memory_pss", "gateway"}
    assert document["ratios"]["gateway"] == 0.8
    assert document["gateway"][0]["stock"]["p50"] == 0.4
    assert document["ratios"]["one_op"] == 15.0
    assert document["ratios"]["cpu_per_run"] == 40.0
    assert document["ratios"]["fanout_100"] is None
    assert document["machine"]["processor"] == "abacus"


def test_what_failed_stands_on_the_page_with_its_reason() -> None:
    """A peer that fails must be seen to have failed, not to be missing."""
    page = report.page(_session(), ABOUT, CONFIGURATIONS)
    assert "failed (see notes)" in page
    assert "100-way fan-out: failed: 1 of 1 runs did not succeed" in page
    assert "did not start: no room \\| left" in page


def test_the_page_says_whether_each_target_is_met() -> None:
    """Every target has its line, also one that was not measured."""
    page = report.page(_session(), ABOUT, CONFIGURATIONS)
    assert "| 15.0x | >= 10x | met |" in page
    assert page.count("not measured") == 3
    assert "| 150 MB PSS | < 600 MB | met |" in page
    assert "| 1.25 times its time | < 1.3 times | met |" in page


def test_a_verdict_on_noisy_figures_says_so() -> None:
    """A target met on a busy machine may be missed on a quiet one."""
    session = _session()
    session.measurements[1].foreign_share = 0.5
    assert "| 15.0x | >= 10x | met, noisy |" in report.page(session, ABOUT, CONFIGURATIONS)


def test_the_page_tells_machine_versions_and_method() -> None:
    """Without them nobody can repeat it."""
    page = report.page(_session(), ABOUT, CONFIGURATIONS)
    for said in ("abacus", "1.2.3", "2030-01-02", "Counted by: an abacus", "sandbox: bubblewrap"):
        assert said in page


def test_every_configuration_says_what_it_has_switched_on() -> None:
    """A comparison is fair only when the reader sees what each side does."""
    keys = [configuration.key for configuration in CONFIGURATIONS]
    assert len(set(keys)) == len(keys)
    assert CONFIGURATIONS[0].key == NODE
    for configuration in CONFIGURATIONS:
        assert configuration.switched_on
        assert set(configuration.works) <= set(WORKS)


def test_the_terminal_shows_the_same_rows() -> None:
    """Each table has a row for each thing found."""
    tables = {str(table.title): table.row_count for table in report.tables(_session(), CONFIGURATIONS)}
    assert list(tables.values()) == [3, 5, 2, len(TARGETS) + 3]
