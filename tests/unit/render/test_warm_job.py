"""The Job of a warm pod: no more than a step's own, for as long as its wait and its step may take."""

from __future__ import annotations

import kubernetes_validate
import pytest

from phems.render.step_job import job_name, node_labels, step_job
from phems.render.warm_job import WarmPlace, warm_job, warm_name, warm_secret

from .pod_rules import broken
from .test_step_job import ATTEMPT, COMMAND, EVERYTHING, VERSIONS, pod_of, spec

PLACE = WarmPlace(warm_name("worker-1", "heart", 1), "worker-1", "heart", "ab" * 32, 4200)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_of_kubernetes_takes_it_and_runs_it_restricted(version: str) -> None:
    sized = spec(**EVERYTHING)
    job, secret = warm_job(sized, PLACE, COMMAND), warm_secret(sized, PLACE, "uid-1", {"capability": "token"})
    kubernetes_validate.validate(job, version, strict=True)
    kubernetes_validate.validate(secret, version, strict=True)
    assert broken(job) == []
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["name"], secret["metadata"]["name"]) == (PLACE.name, PLACE.name)


def test_its_pod_is_that_of_a_step_of_the_default_size() -> None:
    """Otherwise a step finds other surroundings in a warm pod than in its own."""
    of_step = pod_of(step_job(spec(), ATTEMPT, COMMAND))
    of_warm = pod_of(warm_job(spec(), PLACE, COMMAND))
    own = job_name(ATTEMPT.run_id, ATTEMPT.step_key, ATTEMPT.attempt)
    assert str(of_warm).replace(PLACE.name, own) == str(of_step)


def test_a_step_that_begins_at_the_end_of_the_wait_has_all_of_its_time() -> None:
    limits = spec(active_deadline_seconds=100)
    assert warm_job(limits, PLACE, COMMAND)["spec"]["activeDeadlineSeconds"] == 4300
    assert step_job(limits, ATTEMPT, COMMAND)["spec"]["activeDeadlineSeconds"] == 100


def test_it_is_found_as_the_node_s_and_its_worker_s_and_is_nobody_s_run() -> None:
    """A worker sweeps by these labels, and the network policy opens the storage service by them."""
    job = warm_job(spec(), PLACE, COMMAND)
    labels = job["metadata"]["labels"]
    assert labels == job["spec"]["template"]["metadata"]["labels"]
    assert node_labels(spec()).items() <= labels.items()
    assert (labels["phems/worker"], labels["phems/warm"]) == ("worker-1", "true")
    assert "phems/run" not in labels


def test_a_name_is_one_worker_s_for_one_pod() -> None:
    names = {
        warm_name(worker, project, number)
        for worker in ("a", "b")
        for project in ("heart", "genes")
        for number in (1, 2)
    }
    assert len(names) == 8
