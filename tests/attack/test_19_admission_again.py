"""Case 19: retry, resume and re-execution pass admission again: code revoked in between does not go on."""

from __future__ import annotations

from attacked_node import INTRUDER, WARD, WEI, AttackedNode, until


def revoke(site: AttackedNode, project: str) -> None:
    """Revoke the approved code of a project."""
    code = site.serving.node.code_revisions
    with site.serving.node.governance.transaction() as tx:
        approved = tx.code_revisions.approved(project)
    assert approved is not None
    code.revoke(WEI, project, approved.commit, reason="It sends data away.")


def test_a_re_execution_and_a_new_launch_are_refused(own_site: AttackedNode) -> None:
    """Otherwise a revoked approval would go on working for whoever had run the code before."""
    site = own_site
    parent = site.launch(INTRUDER, "failing_job", tags={"dagster/max_retries": "0"})
    assert site.wait(parent).status.value == "FAILURE"
    run = site.run(parent)
    tags = {**run.tags, "dagster/parent_run_id": parent, "dagster/root_run_id": parent}
    again = site.create_run(INTRUDER, "failing_job", tags=tags, parent_run_id=parent, root_run_id=parent)
    fresh = site.create_run(INTRUDER, "plain_job")
    revoke(site, INTRUDER)
    for asked in (again, fresh):
        site.submit(asked)
        assert site.wait(asked.run_id).status.value == "FAILURE"
        assert "REVOKED" in site.log(asked.run_id)
        assert "It sends data away." in site.log(asked.run_id)
        assert "PIPELINE_START" not in site.event_types(asked.run_id)


def test_a_run_that_waits_in_the_queue_is_refused_when_its_turn_comes(own_site: AttackedNode) -> None:
    """Otherwise what was asked for yesterday would run with what was forbidden today."""
    site = own_site
    first = site.launch(WARD, "waiting_job")
    until(lambda: "wait_for_go" in site.started_steps(first), 20, "the first runs")
    second = site.launch(WARD, "count_job")
    revoke(site, WARD)
    (site.data / "artifacts" / WARD / "go").touch()
    site.wait(first)
    assert site.wait(second).status.value == "FAILURE"
    assert "REVOKED" in site.log(second)
    assert [entry for entry in site.refusals("run.admit") if entry.subject == second]


def test_a_run_is_not_taken_up_after_a_restart_when_its_code_was_revoked_meanwhile(
    own_site: AttackedNode,
) -> None:
    """Otherwise to stop the node would be to keep the run."""
    site = own_site
    run_id = site.launch(WARD, "waiting_job")
    until(lambda: "wait_for_go" in site.started_steps(run_id), 20, "it runs")
    site.serving.stop()
    from phems.bootstrap import open_node

    with open_node(site.folder) as node:
        with node.governance.transaction() as tx:
            approved = tx.code_revisions.approved(WARD)
        assert approved is not None
        node.code_revisions.revoke(WEI, WARD, approved.commit, reason="Meanwhile.")
    with AttackedNode(site.folder, approve=(INTRUDER,)) as later:
        assert later.wait(run_id).status.value == "FAILURE"
        assert "REVOKED" in later.log(run_id)
        assert [entry for entry in later.refusals("run.admit") if entry.subject == run_id]
