"""Case 29: small cells, and two releases that differ by one patient: flagged.

The tables are written by a step, declared by its author, frozen, and looked at by the node's own checks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from attacked_node import ANA, INTRUDER, AttackedNode, until

from phems.domain.actors import Actor
from phems.domain.output_checks import CheckReport, Finding, Verdict
from phems.domain.release_states import ReleaseState
from phems.domain.release_views import ReleaseView
from phems.domain.votes import Vote
from phems.errors import InputError
from phems.services.release_asks import Case, Choice

CASE = Case("Patients by sex and stage.", "Small counts are suppressed.")
CHECKERS = (Actor("carol"), Actor("dmitri"))

HEAD = "sex,stage,patients\n"
LARGE = f"{HEAD}F,I,140\nF,II,60\nM,I,150\nM,II,90\n"
ONE_PATIENT_LESS = LARGE.replace("90", "89")
SMALL = LARGE.replace("60", "3")
# The star can be subtracted from the total of its row.
STARRED = f"{HEAD}F,I,140\nF,II,*\nF,Total,143\nM,I,150\nM,II,90\nM,Total,240\n"

Tables = Mapping[str, tuple[str, Mapping[str, Any] | None]]


def declared(population: str) -> dict[str, Any]:
    """What an author declares of the tables here; each test has a population of its own."""
    return {
        "kind": "frequency",
        "dimensions": ["sex", "stage"],
        "count": "patients",
        "totals": "Total",
        "suppressed": "*",
        "population": population,
    }


def written(site: AttackedNode, tables: Tables) -> str:
    """A run that wrote these tables."""
    config = {"ops": {"write_declared_tables": {"config": {"tables": json.dumps(tables)}}}}
    run_id = site.launch(INTRUDER, "write_declared_tables_job", config=config)
    assert site.wait(run_id).is_success, site.log(run_id)
    return run_id


def requested(site: AttackedNode, tables: Tables) -> ReleaseView:
    """A release request for all of them."""
    return site.serving.node.releases.request(ANA, INTRUDER, Choice(written(site, tables)), CASE)


def released(site: AttackedNode, tables: Tables) -> str:
    """The request that brought them out of the node."""
    request = requested(site, tables).request
    for checker in CHECKERS:
        site.serving.node.releases.vote(checker, request.id, Vote.APPROVED)
    # The node's own publisher takes it from here.
    releases = site.serving.node.releases
    until(lambda: releases.show(ANA, request.id).request.state is ReleaseState.RELEASED, 30, "it is released")
    return request.id


def failures(report: CheckReport | None, check: str) -> list[Finding]:
    """What a check found to be wrong."""
    assert report is not None
    return [each for each in report.findings if each.check == check and each.verdict is Verdict.FAIL]


def test_a_small_cell_is_flagged_and_cannot_slip_through(site: AttackedNode) -> None:
    """Otherwise three patients would leave the node in a table that two checkers skimmed."""
    view = requested(site, {"small.csv": (SMALL, declared("small"))})
    [found] = failures(view.report, "small-cells")
    assert found.evidence["cells"] == [{"row": 2, "cell": "sex=f, stage=ii", "count": 3}]
    releases = site.serving.node.releases
    with pytest.raises(InputError, match="justification"):
        releases.vote(CHECKERS[0], view.request.id, Vote.APPROVED)
    # Whoever lets it go all the same says why, in writing, under their name.
    releases.vote(CHECKERS[0], view.request.id, Vote.APPROVED, justification="The registry is public.")


def test_a_star_that_can_be_subtracted_is_flagged(site: AttackedNode) -> None:
    """Otherwise the three patients would leave as a star that anybody can undo."""
    view = requested(site, {"starred.csv": (STARRED, declared("starred"))})
    [found] = failures(view.report, "suppression")
    [cell] = found.evidence["disclosed"]
    assert (cell["cell"], cell["low"], cell["high"]) == ("sex=f, stage=ii", 3, 3)


def test_two_releases_one_patient_apart_are_flagged(site: AttackedNode) -> None:
    """Otherwise a patient could be singled out by asking for the same table without them."""
    first = released(site, {"counts.csv": (LARGE, declared("twice"))})
    again = requested(site, {"recounted.csv": (ONE_PATIENT_LESS, declared("twice"))})
    [found] = failures(again.report, "differencing")
    assert (found.evidence["request"], found.evidence["state"]) == (first, "RELEASED")
    assert found.path is not None
    assert found.path.endswith("recounted.csv")
    assert {"cell": "sex=m, stage=ii", "here": 89, "there": 90, "apart": 1} in found.evidence["cells"]


def test_so_are_two_that_wait_and_two_of_one_request(site: AttackedNode) -> None:
    """Otherwise both halves would be asked for before either is looked at."""
    requested(site, {"one.csv": (LARGE, declared("waiting"))})
    waiting = requested(site, {"two.csv": (ONE_PATIENT_LESS, declared("waiting"))})
    assert failures(waiting.report, "differencing")
    together = {"one.csv": (LARGE, declared("together")), "two.csv": (ONE_PATIENT_LESS, declared("together"))}
    assert len(failures(requested(site, together).report, "linked-tables")) == 2


def test_what_is_not_declared_does_not_pass(site: AttackedNode) -> None:
    """Otherwise saying nothing would be the way around every rule for tables."""
    requested(site, {"said.csv": (LARGE, declared("silent"))})
    silent = requested(site, {"unsaid.csv": (ONE_PATIENT_LESS, None)})
    assert silent.report is not None
    said = {each.check: each.verdict for each in silent.report.findings}
    assert said["declaration"] is Verdict.REVIEW
    # It has the columns of a table that was declared, and is compared as if it were.
    assert failures(silent.report, "differencing")


def test_another_name_for_the_population_does_not_help(site: AttackedNode) -> None:
    """Otherwise a new name would make the same patients another population."""
    requested(site, {"here.csv": (LARGE, declared("named"))})
    renamed = requested(site, {"there.csv": (ONE_PATIENT_LESS, declared("named otherwise"))})
    assert failures(renamed.report, "differencing")
