"""The Job of a step attempt: a pod that a cluster takes, with no more than it needs, and no second one."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.errors import InputError
from phems.nodespec import NodeSpec
from phems.render.project_pods import label_value
from phems.render.step_job import STEP_COMMAND, StepAttempt, job_name, step_job, step_secret

from .pod_rules import broken

VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
IMAGE = "registry.example/phems/project@sha256:" + "0" * 64
OWN_IMAGE = "registry.example/phems/genes@sha256:" + "1" * 64
ATTEMPT = StepAttempt("heart", "ab" * 32, "0b51d6c1-6a4f-4c8e-9d52-1f2f3f0a9c11", "heart__model", 2)
COMMAND = ("python", "-m", "phems.host", "$(HOME)")
EVERYTHING = {
    "image": IMAGE,
    "image_pull_secret": "pull",
    "claims": {"data": "data"},
    "sizes": {
        "default": {},
        "large": {
            "requests": {"cpu": 2, "memory": "16Gi"},
            "limits": {"cpu": "4", "memory": "64Gi", "ephemeral_storage": "20Gi"},
            "tmp": "10Gi",
        },
    },
    "node_selector": {"steps": "true"},
    "tolerations": [{"key": "steps", "operator": "Exists"}, {"key": "steps", "value": "only"}],
    "priority_class": "steps",
    "runtime_class": "gvisor",
}


def spec(**cluster: Any) -> NodeSpec:
    return NodeSpec.model_validate(
        {
            "version": 1,
            "node": {"name": "st-mary-"},
            "controller": {"name": "St Mary"},
            "kubernetes": {"image": IMAGE, **cluster},
            "projects": {
                "heart": {
                    "code": {"repo": "https://git.example/heart.git"},
                    "environment": {"variables": {"PRICE": "$(HOME) $5"}},
                    "kubernetes": {"sizes": {"heart/model": "large"}} if "sizes" in cluster else {},
                },
                "genes": {
                    "code": {"repo": "https://git.example/genes.git"},
                    "kubernetes": {"image": OWN_IMAGE},
                },
            },
        }
    )


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cluster", [{}, EVERYTHING], ids=["least", "everything"])
def test_each_version_of_kubernetes_takes_the_job_and_its_secret(
    version: str, cluster: dict[str, Any]
) -> None:
    """Strictly: a key that a cluster does not know is dropped by it without a word, and protects nobody."""
    kubernetes_validate.validate(step_job(spec(**cluster), ATTEMPT, COMMAND), version, strict=True)
    secret = step_secret(spec(**cluster), ATTEMPT, "uid-1", {"capability": "token"})
    kubernetes_validate.validate(secret, version, strict=True)


@pytest.mark.parametrize("cluster", [{}, EVERYTHING], ids=["least", "everything"])
def test_a_cluster_that_enforces_restricted_runs_the_pod(cluster: dict[str, Any]) -> None:
    assert broken(step_job(spec(**cluster), ATTEMPT, COMMAND)) == []


def test_the_rules_find_what_is_broken() -> None:
    """Otherwise the test before this one finds nothing because it looks at nothing."""
    job = step_job(spec(), ATTEMPT, COMMAND)
    pod, (container,) = pod_of(job), pod_of(job)["containers"]
    pod["volumes"].append({"name": "Host", "hostPath": {"path": "/"}})
    pod["hostNetwork"] = pod["automountServiceAccountToken"] = True
    pod["restartPolicy"] = "OnFailure"
    container["securityContext"] = {"privileged": True, "runAsUser": 0}
    container["resources"]["requests"]["cpu"] = "1001m"
    container["env"].append({"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}})
    assert len(broken(job)) == 13


def test_a_step_gets_the_size_that_node_yaml_gives_it() -> None:
    """A branch of a fan-out that of its op; everything else the default one."""
    sized = spec(**EVERYTHING)
    memory = {
        key: pod_of(step_job(sized, StepAttempt("heart", "ab", "run", key, 1), COMMAND))["containers"][0][
            "resources"
        ]["limits"]["memory"]
        for key in ("heart__model", "heart__model[x]", "heart__table")
    }
    assert memory == {"heart__model": "64Gi", "heart__model[x]": "64Gi", "heart__table": "2Gi"}


def test_a_project_runs_in_its_own_image_and_namespace() -> None:
    job = step_job(spec(), StepAttempt("genes", "ab", "run", "train", 1), COMMAND)
    assert job["metadata"]["namespace"] == "phems-genes"
    assert pod_of(job)["containers"][0]["image"] == OWN_IMAGE


def test_code_is_what_was_approved_and_cannot_be_written() -> None:
    pod = pod_of(step_job(spec(**EVERYTHING), ATTEMPT, COMMAND))
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts["/code"] == {
        "name": "code",
        "mountPath": "/code",
        "subPath": ATTEMPT.code_digest,
        "readOnly": True,
    }
    assert [path for path, mount in mounts.items() if not mount.get("readOnly")] == ["/artifacts", "/tmp"]
    claims = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if len(volume["name"]) == 4]
    assert all(claim["readOnly"] for claim in claims)


def test_what_a_person_wrote_is_not_read_as_a_variable() -> None:
    """Kubernetes would put another value in the place of $(HOME)."""
    (container,) = pod_of(step_job(spec(), ATTEMPT, COMMAND))["containers"]
    assert container["command"][-1] == "$$(HOME)"
    assert {"name": "PRICE", "value": "$$(HOME) $$5"} in container["env"]


def test_tolerations_and_places_are_the_specs() -> None:
    pod = pod_of(step_job(spec(**EVERYTHING), ATTEMPT, COMMAND))
    assert pod["tolerations"] == [
        {"key": "steps", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "steps", "operator": "Equal", "value": "only", "effect": "NoSchedule"},
    ]
    assert (pod["priorityClassName"], pod["runtimeClassName"]) == ("steps", "gvisor")
    assert pod["nodeSelector"] == {"steps": "true"}
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    least = pod_of(step_job(spec(), ATTEMPT, COMMAND))
    assert not {"tolerations", "nodeSelector", "imagePullSecrets"} & set(least)


def test_the_capability_is_in_a_secret_that_goes_with_its_job_and_nowhere_else() -> None:
    job = step_job(spec(), ATTEMPT, COMMAND)
    secret = step_secret(spec(), ATTEMPT, "uid-1", {"capability": "token"})
    assert secret["data"] == {"capability": base64.b64encode(b"token").decode()}
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Job", job["metadata"]["name"], "uid-1")
    (projected,) = [volume["projected"] for volume in pod_of(job)["volumes"] if "projected" in volume]
    assert projected["sources"] == [{"secret": {"name": secret["metadata"]["name"]}}]
    assert "token" not in json.dumps(job)


def test_two_jobs_of_one_attempt_are_one_and_the_same() -> None:
    """Who finds a Job of the name there sees by its mark whether it is the same pod."""
    first, second = (step_job(spec(), ATTEMPT, COMMAND) for _ in range(2))
    assert first == second
    other = step_job(spec(user=1000), ATTEMPT, COMMAND)
    assert other["metadata"]["name"] == first["metadata"]["name"]
    assert other["metadata"]["annotations"] != first["metadata"]["annotations"]
    changed = copy.deepcopy(first)
    pod_of(changed)["dnsConfig"]["nameservers"].append("8.8.8.8")
    assert pod_of(step_job(spec(), ATTEMPT, COMMAND)) == pod_of(first)


def test_data_in_the_key_of_a_branch_is_shown_to_nobody() -> None:
    """Who runs the cluster sees names, labels and annotations of everything."""
    job = step_job(spec(), StepAttempt("heart", "ab", "run", "split[Jane_Doe]", 1), COMMAND)
    assert "jane" not in json.dumps(job).lower()
    assert "split" in job["metadata"]["name"]


def test_a_node_without_a_cluster_has_no_jobs() -> None:
    without = spec().model_copy(update={"kubernetes": None})
    with pytest.raises(InputError, match="describes no cluster"):
        step_job(without, ATTEMPT, COMMAND)


@given(
    one=st.tuples(st.text(), st.text(), st.integers(0, 10**9)),
    other=st.tuples(st.text(), st.text(), st.integers(0, 10**9)),
)
def test_an_attempt_has_one_name_and_no_other_attempt_has_it(
    one: tuple[str, str, int], other: tuple[str, str, int]
) -> None:
    """Whatever keys project code makes: a name too long or odd is a step that cannot run."""
    job = step_job(spec(), StepAttempt("heart", "ab", *one), COMMAND)
    assert broken(job) == []
    assert len(job["metadata"]["name"]) <= 63
    assert (job_name(*one) == job_name(*other)) == (one == other)


@given(text=st.text())
def test_whatever_a_run_is_called_it_can_be_found_by_its_label(text: str) -> None:
    assert 0 < len(label_value(text)) <= 63


def test_the_command_looks_for_the_pod_s_files_where_the_job_mounts_them() -> None:
    """Otherwise every pod ends before it has asked what to do."""
    pod = pod_of(step_job(spec(), ATTEMPT, STEP_COMMAND))
    (container,) = pod["containers"]
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "capability")
    assert container["command"][-2:] == ["--step", mount["mountPath"]]
    assert mount["readOnly"] is True
