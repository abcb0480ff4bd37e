"""Cases 14 and 15: a pod of one's own taste and spoofed `phems/*` tags, from wherever tags can come."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from attacked_node import INTRUDER, WARD, AttackedNode

PRIVILEGED = json.dumps({"container_config": {"security_context": {"privileged": True}}})


def assert_refused(site: AttackedNode, run_id: str, tag: str) -> None:
    """The run ended at once, nothing of it ran, and its log says which tag and why."""
    run = site.wait(run_id, 10)
    assert run.status.value == "FAILURE"
    assert "STEP_START" not in site.event_types(run_id)
    assert "PIPELINE_START" not in site.event_types(run_id)
    log = site.log(run_id)
    assert tag in log
    assert "reserved" in log
    assert run.tags["phems/project"] == INTRUDER, "it must not turn up among another project's runs"


@pytest.mark.parametrize(
    ("job", "tags", "named"),
    [
        ("plain_job", {"dagster-k8s/config": PRIVILEGED}, "dagster-k8s/config"),
        ("plain_job", {"phems/project": WARD}, "phems/project"),
        ("plain_job", {"phems/requester": "olga"}, "phems/requester"),
        ("plain_job", {"phems/anything": "x"}, "phems/anything"),
        ("privileged_op_job", {}, "dagster-k8s/config"),
        ("privileged_job", {}, "dagster-k8s/config"),
        ("spoofed_job", {}, "phems/project"),
    ],
)
def test_a_reserved_tag_is_refused(site: AttackedNode, job: str, tags: Mapping[str, str], named: str) -> None:
    """Otherwise who launches could choose the pod, or in whose name it runs."""
    job_tags = {"dagster-k8s/config": PRIVILEGED} if job == "privileged_job" else {}
    job_tags |= {"phems/project": WARD} if job == "spoofed_job" else {}
    assert_refused(site, site.launch(INTRUDER, job, tags={**job_tags, **tags}), named)


def reexecute(site: AttackedNode, parent: str, changes: Mapping[str, str]) -> str:
    """A re-execution as Dagster makes one: with the tags of its parent, and what the attacker changes."""
    run = site.run(parent)
    tags = {**run.tags, "dagster/parent_run_id": parent, "dagster/root_run_id": parent, **changes}
    return site.launch(INTRUDER, run.job_name, tags=tags, parent_run_id=parent, root_run_id=parent)


def test_a_re_execution_keeps_the_stamps_and_may_not_change_them(site: AttackedNode) -> None:
    """Otherwise a retry would be the way around the stamps, or honest retries would be refused."""
    parent = site.launch(INTRUDER, "failing_job")
    assert site.wait(parent).status.value == "FAILURE"
    honest = reexecute(site, parent, {})
    site.wait(honest)
    assert "STEP_START" in site.event_types(honest)
    for changes in ({"phems/requester": "olga"}, {"phems/code_revision": "0" * 12}, {"phems/project": WARD}):
        assert_refused(site, reexecute(site, parent, changes), next(iter(changes)))
    assert_refused(site, reexecute(site, parent, {"dagster-k8s/config": PRIVILEGED}), "dagster-k8s/config")


def test_a_refused_parent_lends_its_tags_to_nobody(site: AttackedNode) -> None:
    """Otherwise refusing a run would be the first half of letting it through."""
    parent = site.launch(INTRUDER, "plain_job", tags={"dagster-k8s/config": PRIVILEGED})
    assert_refused(site, parent, "dagster-k8s/config")
    assert_refused(site, reexecute(site, parent, {}), "dagster-k8s/config")


def test_a_parent_of_another_project_lends_nothing(site: AttackedNode) -> None:
    """Otherwise the stamps of the ward could be worn by the intruder."""
    victim = site.launch(WARD, "count_job")
    site.wait(victim)
    tags = {**site.run(victim).tags, "dagster/parent_run_id": victim, "dagster/root_run_id": victim}
    run_id = site.launch(INTRUDER, "plain_job", tags=tags, parent_run_id=victim, root_run_id=victim)
    assert_refused(site, run_id, "phems/project")
