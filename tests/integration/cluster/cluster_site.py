"""A cluster for tests, with one project's namespace: the stub, or the one that KUBECONFIG names.

A real one is asked for an image with `python3` by PHEMS_TEST_IMAGE (by digest), and enforces "restricted" and
no network by itself. What tests assume is what both do.
"""

from __future__ import annotations

import copy
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

from api_proxy import ApiProxy
from stub_api import serving
from stub_machine import Machine
from stub_store import Store

from phems.adapters.kubernetes.answers import NameTakenError, ObjectGoneError
from phems.adapters.kubernetes.api import ClusterApi
from phems.adapters.kubernetes.job_runner import JobRunner
from phems.adapters.kubernetes.running_jobs import StepManifests
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.warm_pods import WaitingPod
from phems.nodespec import NodeSpec
from phems.render.project_objects import project_objects
from phems.render.step_job import StepAttempt, job_name, node_labels, step_job, step_secret
from phems.render.warm_job import WarmPlace, warm_job, warm_secret

STUB_IMAGE = "registry.example/phems/project@sha256:" + "0" * 64
DIGEST = "ab" * 32
CODE = "print('approved')\n"
CAPABILITY = "a-capability"
COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}
SIZES = {
    "default": {"requests": {"cpu": "10m", "memory": "32Mi", "ephemeral_storage": "10Mi"}},
    "small": {
        "requests": {"cpu": "10m", "memory": "32Mi", "ephemeral_storage": "10Mi"},
        "limits": {"memory": "64Mi"},
    },
    "huge": {
        "requests": {"cpu": "10m", "memory": "1000Ti", "ephemeral_storage": "10Mi"},
        "limits": {"memory": "1000Ti"},
    },
}


@dataclass
class ClusterSite:
    """One project's namespace. `patience` is how long a pod that cannot start is waited for, in seconds."""

    namespace: str
    image: str
    direct: ClusterApi
    proxy: ApiProxy
    kubeconfig: Path
    patience: int
    _runners: list[JobRunner] = field(default_factory=list)

    def spec(self, **cluster: Any) -> NodeSpec:
        """A node spec with this cluster; `cluster` says what is other."""
        section = {
            "namespace": "{project}",
            "image": self.image,
            "sizes": SIZES,
            "pending_seconds": 300,
            **cluster,
        }
        project = {
            "code": {"repo": "https://git.example/heart.git"},
            "kubernetes": {"sizes": {"eats": "small", "grows": "huge"}},
        }
        return NodeSpec.model_validate(
            {
                "version": 1,
                "node": {"name": "st-mary"},
                "controller": {"name": "St Mary"},
                "kubernetes": section,
                "projects": {self.namespace: project},
            }
        )

    def runner(self, code: str, **cluster: Any) -> JobRunner:
        """A runner, behind the proxy, whose steps all execute this Python."""
        spec = self.spec(**cluster)
        assert spec.kubernetes is not None
        selector = ",".join(f"{key}={value}" for key, value in node_labels(spec).items())
        manifests = StepManifests(
            job=lambda task: step_job(spec, _attempt(task), ("python3", "-c", code)),
            secret=lambda task, uid: step_secret(spec, _attempt(task), uid, {"capability": CAPABILITY}),
            warm_job=lambda pod: warm_job(spec, _place(pod), ("python3", "-c", code)),
            warm_secret=lambda pod, uid: warm_secret(spec, _place(pod), uid, {"capability": CAPABILITY}),
        )
        runner = JobRunner(ClusterApi(self.kubeconfig), spec.kubernetes, self.namespace, manifests, selector)
        self._runners.append(runner)
        return runner

    def close_runners(self) -> None:
        """End what a test has started, and every Job that it left."""
        self.proxy.clear()
        for runner in self._runners:
            runner.close()
        self._runners.clear()
        for job in self.objects("jobs"):
            with suppress(ObjectGoneError):
                self.direct.delete("jobs", self.namespace, job["metadata"]["name"], propagation="Background")

    def task(self, step_key: str = "works") -> StepTask:
        """The first attempt of a step of a new run."""
        return StepTask(self.namespace, DIGEST, str(uuid.uuid4()), step_key, 1)

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """What there is of a kind."""
        return self.direct.list(kind, self.namespace, "app.kubernetes.io/managed-by=phems")[0]

    def pods_of(self, task: StepTask) -> list[dict[str, Any]]:
        """The pods of an attempt."""
        return self.direct.list("pods", self.namespace, f"job-name={name_of(task)}")[0]

    def evict(self, pod: str) -> None:
        """Take a pod from its machine, as `kubectl drain` does."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self.namespace},
        }
        self.direct._ask("POST", f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction", body=body)


class Ends:
    """How attempts ended, in their order."""

    def __init__(self) -> None:
        self._told: Queue[StepEnd] = Queue()

    def __call__(self, end: StepEnd) -> None:
        self._told.put(end)

    def next(self, seconds: float = 120) -> StepEnd:
        """The next end, when it comes."""
        return self._told.get(timeout=seconds)


def name_of(task: StepTask) -> str:
    """The name of an attempt's Job."""
    return job_name(*task.key)


@contextmanager
def cluster_site(folder: Path) -> Iterator[ClusterSite]:
    """The cluster, with a namespace, its claims and approved code in it."""
    with _api_server(folder) as (kubeconfig, image, patience):
        direct = ClusterApi(kubeconfig)
        proxy = ApiProxy(ClusterApi(kubeconfig))
        near = folder / "near"
        near.write_text(json.dumps(kubeconfig_of(proxy.address)))
        site = ClusterSite(f"phems-{uuid.uuid4().hex[:8]}", image, direct, proxy, near, patience)
        try:
            _make_namespace(site)
            _fill(site)
            yield site
        finally:
            site.close_runners()
            proxy.close()
            direct._ask("DELETE", f"/api/v1/namespaces/{site.namespace}")


@contextmanager
def _api_server(folder: Path) -> Iterator[tuple[Path, str, int]]:
    """A kubeconfig, an image, and how many seconds it may take to say that a pod cannot start."""
    if named := os.environ.get("KUBECONFIG"):
        yield Path(named), os.environ["PHEMS_TEST_IMAGE"], 30
        return
    store = Store()
    machine = Machine(store, folder, STUB_IMAGE)
    with serving(store) as address:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(kubeconfig_of(address)))
        yield kubeconfig, STUB_IMAGE, 3
        machine.close()


def kubeconfig_of(address: str) -> dict[str, Any]:
    """How a client finds the API server at this address."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": address}}],
        "users": [{"name": "test", "user": {}}],
    }


def _make_namespace(site: ClusterSite) -> None:
    """As `phems render manifests` has it: what is closed there, and limited, is so in these tests."""
    for found in project_objects(site.spec(), site.namespace):
        with suppress(NameTakenError):  # the account, which a cluster makes by itself
            site.direct._ask("POST", COLLECTIONS[found["kind"]].format(site.namespace), body=found)


def _fill(site: ClusterSite) -> None:
    """Make the claims, and put approved code into that for code, by a Job of the cluster's own."""
    for name in ("phems-code", "phems-artifacts"):
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
        }
        site.direct._ask("POST", f"/api/v1/namespaces/{site.namespace}/persistentvolumeclaims", body=claim)
    code = f"import os; os.makedirs({DIGEST!r}); open({DIGEST + '/main.py'!r}, 'w').write({CODE!r})"
    task = site.task("fill")
    job = copy.deepcopy(step_job(site.spec(), _attempt(task), ("python3", "-c", code)))
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    pod["volumes"] = [each for each in pod["volumes"] if each["name"] != "capability"]
    container["volumeMounts"] = [each for each in container["volumeMounts"] if each["name"] != "capability"]
    pod["volumes"][0]["persistentVolumeClaim"]["readOnly"] = False
    container["volumeMounts"][0] = {"name": "code", "mountPath": "/code"}
    site.direct.create("jobs", site.namespace, job)
    until(lambda: _condition(site, task) == ["Complete"])
    site.direct.delete("jobs", site.namespace, name_of(task), propagation="Background")


def _condition(site: ClusterSite, task: StepTask) -> Sequence[str]:
    status = site.direct.get("jobs", site.namespace, name_of(task)).get("status", {})
    kinds = [each["type"] for each in status.get("conditions", ())]
    assert "Failed" not in kinds, status
    return [kind for kind in kinds if kind == "Complete"]


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for it: a cluster is asked again and again, by whoever wants to know."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        pause.wait(0.05)


def _attempt(task: StepTask) -> StepAttempt:
    return StepAttempt(task.project, task.code_digest, task.run_id, task.step_key, task.attempt)


def _place(pod: WaitingPod) -> WarmPlace:
    return WarmPlace(pod.name, "worker-1", pod.project, pod.code_digest, 3600)
