"""A node of the profile `kubernetes`, served: its control process, a worker, and the tests' small cluster.

Definitions are loaded by the pod of the project's Deployment there, steps are carried out in Jobs. The claims
of the project's namespace are the node's own folders, as an operator binds them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from cluster_site import COLLECTIONS, STUB_IMAGE, kubeconfig_of, until
from ruamel.yaml import YAML
from stub_api import serving
from stub_machine import Machine
from stub_store import Store
from tests.collector import Collector, trace_collector
from tests.folders import open_folder
from tests.host_pods import SECRET
from tests.nodes import RunningNode, running_node
from tests.rabbitmq import RabbitMq, free_ports
from tests.server_nodes import ServerSite, server_site
from tests.server_stories import until_served

from phems.adapters.kubernetes.api import ClusterApi
from phems.adapters.postgres.database import Database
from phems.contract.host_pod import PORT
from phems.nodespec import load_node
from phems.render.project_objects import project_objects
from phems.render.step_job import StepAttempt, step_job

PROJECT = "ward"
ORPHAN = "a-run-of-yesterday"
DEFINITIONS = '''
import json
import os
import socket
import time
from pathlib import Path

import dagster as dg

from phems.project import DataSource, Outputs, ProjectIOManager
from phems.project.mlflow import MlflowRun

REVISION = 1


def outcome(act) -> str:
    """What comes of trying it."""
    try:
        return f"done: {act()}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@dg.op
def makes(context: dg.OpExecutionContext) -> int:
    found = {
        "network": outcome(lambda: socket.create_connection(("1.1.1.1", 53), 2)),
        "node": outcome(lambda: socket.create_connection(("127.0.0.1", 22), 2)),
        "code": outcome(lambda: open("/code/new", "w")),
        "run": outcome(lambda: context.instance.delete_run(context.run_id)),
        "token": Path("/var/run/secrets").exists(),
        "environment": sorted(os.environ),
        "user": os.getuid(),
    }
    print(json.dumps(found))
    return int(DataSource(source="numbers").path().read_text().split()[1])


@dg.op
def writes(context: dg.OpExecutionContext, number: int, files: Outputs) -> None:
    files.write_text(context, "number.txt", str(number + 1))


@dg.job
def two_steps():
    writes(makes())


@dg.op
def leaves() -> None:
    print("the last words", flush=True)
    os._exit(3)


@dg.job
def leaving():
    leaves()


@dg.op
def eats() -> None:
    """Its size is too small for Dagster alone."""


@dg.job
def eating():
    eats()


@dg.op
def waits(context: dg.OpExecutionContext) -> None:
    (Path("/artifacts") / f"waiting-{context.run_id}").touch()
    while True:
        time.sleep(0.05)


@dg.job
def waiting():
    waits()


@dg.op
def carries(context: dg.OpExecutionContext, files: Outputs) -> None:
    print("carried", flush=True)
    files.write_text(context, "carried.txt", str(REVISION))


@dg.job
def carried():
    carries()


@dg.op
def logs(context: dg.OpExecutionContext, mlflow_run: MlflowRun) -> None:
    import mlflow

    with mlflow_run.of(context) as run:
        mlflow.log_metric("accuracy", 0.75)
        mlflow.log_text("in a pod", "where.txt")
        print(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/where.txt"))


@dg.job
def logged():
    logs()


@dg.sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=1)
def looks_around(context: dg.SensorEvaluationContext):
    """What definitions can see and reach."""
    return dg.SkipReason(json.dumps({
        "network": outcome(lambda: socket.create_connection(("1.1.1.1", 53), 2)),
        "node": outcome(lambda: socket.create_connection(("127.0.0.1", 22), 2)),
        "code": outcome(lambda: open("/code/new", "w")),
        "artifacts": outcome(lambda: open("/artifacts/new", "w")),
        "deletion": outcome(lambda: context.instance.delete_run("another's")),
        "runs": outcome(lambda: len(context.instance.get_runs(limit=1))),
        "numbers": outcome(lambda: DataSource(source="numbers").path().read_text().split()),
        "keys": outcome(lambda: sorted(os.listdir("/run/phems"))),
        "token": Path("/var/run/secrets").exists(),
        "environment": sorted(os.environ),
        "user": os.getuid(),
        "version": REVISION,
    }))


defs = dg.Definitions(
    sensors=[looks_around],
    jobs=[two_steps, leaving, eating, waiting, carried, logged],
    resources={"io_manager": ProjectIOManager(), "files": Outputs(), "mlflow_run": MlflowRun()},
)
'''
SIZES = {
    "default": {"requests": {"cpu": "10m", "memory": "32Mi", "ephemeral_storage": "10Mi"}},
    "cold": {"requests": {"cpu": "10m", "memory": "32Mi", "ephemeral_storage": "10Mi"}},
    "small": {
        "requests": {"cpu": "10m", "memory": "32Mi", "ephemeral_storage": "10Mi"},
        "limits": {"memory": "64Mi"},
    },
}
COLD = ("makes", "writes", "leaves", "waits", "logs")
"""Ops whose steps have pods of their own: only those of the default size are carried by one that waits."""


@dataclass
class ServedCluster:
    """The node, and the cluster as an administrator of it sees it."""

    node: RunningNode
    site: ServerSite
    api: ClusterApi
    collector: Collector

    def of_run(self, kind: str, run_id: str) -> list[dict[str, Any]]:
        """What there is of a kind for a run."""
        return [each for each in self.objects(kind) if each["metadata"]["labels"].get("phems/run") == run_id]

    def warm(self, kind: str = "jobs") -> list[dict[str, Any]]:
        """What there is of a kind for pods that wait for a step, or waited."""
        return [each for each in self.objects(kind) if "phems/warm" in each["metadata"]["labels"]]

    def host_pods(self) -> list[dict[str, Any]]:
        """The pods of the project's host."""
        return self.api.list("pods", PROJECT, "app.kubernetes.io/name=phems-host")[0]

    def printed(self, run_id: str, step: str) -> str:
        """What the first attempt of a step printed, once it prints no more."""
        folder = self.node.serving.paths.logs / run_id / "compute_logs"
        until((folder / f"{step}-1.complete").exists)
        return (folder / f"{step}-1.out").read_text()

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """What there is of a kind in the project's namespace."""
        return self.api.list(kind, PROJECT, "app.kubernetes.io/managed-by=phems")[0]


@contextmanager
def served_cluster(database: Database, rabbitmq: RabbitMq) -> Iterator[ServedCluster]:
    """It runs, with a worker, until the end of the block."""
    store = Store()
    with (
        open_folder() as folder,
        trace_collector() as collector,
        serving(store) as address,
        server_site(folder, database, rabbitmq) as site,
    ):
        machine = Machine(store, folder / "cluster", STUB_IMAGE)
        (port,) = free_ports(1)
        machine.exposed[PORT] = port
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(kubeconfig_of(address)))
        site.environment |= {"KUBECONFIG": str(kubeconfig), "PHEMS_POD_IP": "127.0.0.1"}
        site.settings |= {
            "profile": "kubernetes",
            "telemetry": {"otlp": collector.address},
            "data_sources": {"numbers": {"path": "numbers.csv", "format": "csv"}},
            "kubernetes": {
                "namespace": "{project}",
                "image": STUB_IMAGE,
                "sizes": SIZES,
                "claims": {"data": "data"},
                "hosts": {"key": "env:PHEMS_HOSTS_KEY", "address": f"127.0.0.1:{port}"},
            },
        }
        site.add_project(
            PROJECT,
            {"src/ward/__init__.py": "", "src/ward/definitions.py": DEFINITIONS},
            kubernetes={"warm": 1, "sizes": {"eats": "small", **dict.fromkeys(COLD, "cold")}},
            data_grants=[{"source": "numbers"}],
            mlflow=True,
        )
        (site.node_folder / "numbers.csv").write_text("number\n20\n")
        api = ClusterApi(kubeconfig)
        _make_namespace(api, site)
        with _hosts_key(), running_node(site) as node:
            node.approve(PROJECT)
            _bind_claims(api, machine, node)
            make_host_secret(api, site)
            node.ready(PROJECT)
            leave_an_orphan(api, site, ORPHAN)
            site.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
            site.start_worker()
            until_served(node)
            yield ServedCluster(node, site, api, collector)
            site.stop_workers()
        machine.close()


@contextmanager
def _hosts_key() -> Iterator[None]:
    """The control process is this one: what node.yaml reads from the environment is in its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHEMS_HOSTS_KEY", SECRET)
        yield


def _make_namespace(api: ClusterApi, site: ServerSite) -> None:
    for found in project_objects(load_node(site.node_folder), PROJECT):
        api._ask("POST", COLLECTIONS[found["kind"]].format(PROJECT), body=found)


def make_host_secret(api: ClusterApi, site: ServerSite) -> None:
    """As an operator does, once: the pod of the project's host waits for it."""
    (secret,) = json.loads(site.phems("render", "host-secrets", "--json")).values()
    found = YAML(typ="safe").load(secret)
    api._ask("POST", COLLECTIONS["Secret"].format(PROJECT), body=found)


def _bind_claims(api: ClusterApi, machine: Machine, node: RunningNode) -> None:
    paths = node.serving.paths
    granted = node.site.folder / "granted"
    granted.mkdir()
    shutil.copy(node.site.node_folder / "numbers.csv", granted)
    for name, folder in (
        ("data", granted),
        ("phems-code", paths.code_mount(PROJECT)),
        ("phems-artifacts", paths.artifacts(PROJECT)),
    ):
        machine.bind(PROJECT, name, folder)
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "64Mi"}}},
        }
        api._ask("POST", f"/api/v1/namespaces/{PROJECT}/persistentvolumeclaims", body=claim)


def leave_an_orphan(api: ClusterApi, site: ServerSite, run_id: str) -> None:
    """As a worker leaves it that was killed: its pod waits for a Secret that nobody makes."""
    attempt = StepAttempt(PROJECT, "ab" * 32, run_id, "waits", 1)
    api.create("jobs", PROJECT, step_job(load_node(site.node_folder), attempt, ("true",)))
