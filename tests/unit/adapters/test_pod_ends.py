"""What a cluster says of a step's pod, in words for the run: the right fault, and another try where due."""

from __future__ import annotations

from typing import Any

import pytest

from phems.adapters.kubernetes.pod_ends import DISRUPTIONS, WAITING, JobEnd, end_of, hindrance_of

Object = dict[str, Any]


def job(kind: str | None = "Failed", reason: str = "PodFailurePolicy", status: str = "True") -> Object:
    conditions = [{"type": kind, "status": status, "reason": reason}] if kind else []
    container = {"name": "step", "resources": {"limits": {"memory": "2Gi"}}}
    return {
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"conditions": [{"type": "FailureTarget", "status": "True"}, *conditions]},
    }


def pod(state: Object | None = None, **status: Any) -> Object:
    containers = {"containerStatuses": [{"name": "step", "state": state}]} if state else {}
    return {"status": {"phase": "Failed", **containers, **status}}


def ended(code: int, reason: str = "Error", message: str = "") -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def condition(kind: str, reason: str, message: str = "") -> list[Object]:
    return [{"type": kind, "status": "True", "reason": reason, "message": message}]


@pytest.mark.parametrize("found", [{}, {"status": {}}, job(None), job(status="False")])
def test_a_job_goes_on_until_the_cluster_says_that_it_has_ended(found: Object) -> None:
    """FailureTarget comes while its pod still runs: two attempts would run at once."""
    assert end_of(found, [pod(ended(1))]) is None


def test_a_job_that_is_complete_went_well() -> None:
    assert end_of(job("Complete"), []) == JobEnd(0)


@pytest.mark.parametrize(
    ("found", "status", "words", "is_lost"),
    [
        (pod(ended(3)), 3, "", False),
        (pod(ended(139)), -11, "", False),
        (pod(ended(137, "OOMKilled")), -9, "more memory than it may (2Gi)", False),
        (pod(ended(128, "StartError")), 128, "could not be started", False),
        (pod(reason="Evicted", message="The node was low on resource: memory."), 1, "low on resource", True),
        (
            pod(
                reason="Evicted",
                message="The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi",
            ),
            1,
            "low on resource",
            True,
        ),
        (
            pod(reason="Evicted", message='Usage of EmptyDir volume "tmp" exceeds the limit "1Gi". '),
            1,
            "more to /tmp than it may",
            False,
        ),
        (
            pod(reason="Evicted", message="Pod ephemeral local storage usage exceeds the total limit."),
            1,
            "more to its disk than it may",
            False,
        ),
        (
            pod(ended(143), conditions=condition("DisruptionTarget", "PreemptionByScheduler")),
            1,
            "higher priority",
            True,
        ),
        (pod(conditions=condition("DisruptionTarget", "New")), 1, "taken away by the cluster", True),
        (pod(ended(0, "Completed")), 1, "its pod is gone", True),
        (pod(), 1, "its pod is gone", True),
    ],
)
def test_an_end_is_told_with_whose_fault_it_was(
    found: Object, status: int, words: str, is_lost: bool
) -> None:
    end = end_of(job(), [found])
    assert end is not None
    assert (end.status, end.is_lost) == (status, is_lost)
    assert words in end.note


def test_what_a_container_leaves_to_be_read_is_told_to_nobody() -> None:
    """It is project code's own: it could hold a patient."""
    for end in (ended(3, message="Jane Doe"), ended(137, "OOMKilled", "Jane Doe")):
        assert "Jane" not in str(end_of(job(), [pod(end)]))


def test_a_deadline_counts_before_what_the_pod_says() -> None:
    """The pod was killed because of it."""
    end = end_of(job(reason="DeadlineExceeded"), [pod(ended(143))])
    assert end is not None
    assert "active_deadline_seconds" in end.note
    assert not end.is_lost


@pytest.mark.parametrize("reason", DISRUPTIONS)
def test_every_disruption_has_its_words_and_another_try(reason: str) -> None:
    end = end_of(job(), [pod(conditions=condition("DisruptionTarget", reason))])
    assert end == JobEnd(1, f"The step's pod {DISRUPTIONS[reason]}.", is_lost=True)


@pytest.mark.parametrize("reason", WAITING)
def test_every_reason_to_wait_has_its_words(reason: str) -> None:
    found = hindrance_of(pod({"waiting": {"reason": reason, "message": "x" * 1000}}))
    assert found is not None
    assert WAITING[reason][0] in found.note
    assert found.is_final == WAITING[reason][1]
    assert len(found.note) < 400


@pytest.mark.parametrize(
    "found",
    [
        {},
        pod({"running": {}}),
        pod({"waiting": {"reason": "ContainerCreating"}}),
        pod(conditions=[{"type": "PodScheduled", "status": "True"}]),
    ],
)
def test_a_pod_that_is_on_its_way_is_hindered_by_nothing(found: Object) -> None:
    assert hindrance_of(found) is None


def test_a_pod_that_no_machine_takes_says_what_is_short() -> None:
    found = hindrance_of(
        pod(conditions=condition("PodScheduled", "Unschedulable", "0/3 nodes: 3 Insufficient memory"))
    )
    assert found is not None
    assert "Insufficient memory" in found.note
    assert not found.is_final
