"""Dagster's own Python client, with a token: people's scripts for Dagster go on working."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from dagster import DagsterRunStatus
from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError, ReloadRepositoryLocationStatus
from small_node import OTHER, PROJECT, SmallNode, until

from phems.engine.tags import REQUESTER_TAG


def client(node: SmallNode, name: str) -> DagsterGraphQLClient:
    token = node.tokens.get(name, name)
    return DagsterGraphQLClient(
        "127.0.0.1", port_number=node.port, headers={"Authorization": f"Bearer {token}"}
    )


def test_a_script_launches_a_job_and_waits_for_it(node: SmallNode) -> None:
    """Otherwise whoever comes from another Dagster must rewrite what starts their runs."""
    ana = client(node, "ana")
    run_id = ana.submit_job_execution("counting", run_config={"ops": {"count": {"config": {"times": 2}}}})
    until(lambda: ana.get_run_status(run_id) is DagsterRunStatus.SUCCESS)
    run = node.serving.control.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[REQUESTER_TAG] == "ana"
    reloaded = ana.reload_repository_location(PROJECT)
    assert reloaded.status is ReloadRepositoryLocationStatus.SUCCESS
    endless = ana.submit_job_execution("endless", repository_location_name=PROJECT)
    until(lambda: ana.get_run_status(endless) is DagsterRunStatus.STARTED)
    ana.terminate_run(endless)
    until(lambda: ana.get_run_status(endless) is DagsterRunStatus.CANCELED)


def test_it_does_no_more_than_its_token(node: SmallNode) -> None:
    """Otherwise a program is a way around what its user may do; and it must be told why, in our words."""
    ana, ben = client(node, "ana"), client(node, "ben")
    run_id = ben.submit_job_execution("two_steps", repository_location_name=OTHER)
    until(lambda: ben.get_run_status(run_id) is DagsterRunStatus.SUCCESS)
    with pytest.raises(DagsterGraphQLClientError, match=f"{run_id} could not be found"):
        ana.get_run_status(run_id)
    with pytest.raises(DagsterGraphQLClientError):
        ana.submit_job_execution(
            "two_steps", repository_location_name=OTHER, repository_name="__repository__"
        )
    aud, stranger = client(node, "aud"), client(node, "phems_unknown")
    launch = partial(
        aud.submit_job_execution,
        "two_steps",
        repository_location_name=PROJECT,
        repository_name="__repository__",
    )
    assert "run.launch" in refusal(launch)
    assert "closed" in refusal(lambda: ana.shutdown_repository_location(PROJECT))
    assert "401" in refusal(lambda: stranger.get_run_status(run_id))


def refusal(act: Callable[[], object]) -> str:
    """What the node said, which Dagster's client keeps as the cause of its own error."""
    with pytest.raises(DagsterGraphQLClientError) as refused:
        act()
    return f"{refused.value} {refused.value.__cause__}"
