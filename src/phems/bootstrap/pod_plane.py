"""A worker's plane on a cluster, wired: its door, its Jobs, and who sweeps those that nobody answers for."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from phems.adapters.host_plans import HostPlans, asset_prefix
from phems.adapters.kubernetes.api import ClusterApi
from phems.adapters.kubernetes.job_runner import JobRunner
from phems.adapters.kubernetes.job_sweeper import JobSweeper
from phems.adapters.kubernetes.pod_orders import pod_order
from phems.adapters.kubernetes.running_jobs import StepManifests
from phems.adapters.postgres.dagster_storage import DagsterStorages
from phems.adapters.postgres.step_leases import PostgresWorkerLeases
from phems.adapters.sandbox.verified import CodeCheck
from phems.adapters.wall_certificate import wall_certificate
from phems.bootstrap.control_plane import Record
from phems.bootstrap.mlflow import MlflowOfSteps
from phems.bootstrap.node import Node
from phems.contract.pod import ADDRESS_FILE, CAPABILITY_FILE, CERTIFICATE_FILE
from phems.contract.step_order import HostOrder
from phems.domain.warm_pods import MOST_SECONDS
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.doors import TlsDoor
from phems.engine.pod_plane import PodPlane, PodPlaneParts
from phems.engine.pod_worker import PodCapabilities
from phems.engine.step_queue import StepTask
from phems.engine.traces import Traces
from phems.engine.wall import Wall
from phems.engine.warm_pods import WaitingPod, WarmParts
from phems.errors import InputError
from phems.nodespec.kubernetes import DEFAULT_SIZE, Kubernetes
from phems.render.project_objects import STORAGE_PORTS
from phems.render.step_job import STEP_COMMAND, StepAttempt, node_labels, step_job, step_secret
from phems.render.warm_job import WarmPlace, warm_job, warm_name, warm_secret

ADDRESS_VARIABLE = "PHEMS_POD_IP"
KUBECONFIG_VARIABLE = "KUBECONFIG"


def pod_plane_of(
    node: Node,
    storages: DagsterStorages,
    record: Record,
    project: str,
    leases: PostgresWorkerLeases,
    stack: ExitStack,
    traces: Traces | None,
) -> PodPlane:
    """The plane of a project's worker; what it stands on is closed by `stack`, after it."""
    cluster = node.spec.kubernetes
    if cluster is None:
        raise InputError("node.yaml describes no cluster.", remedy="phems check says what is missing.")
    address = _own_address()
    context, certificate = wall_certificate(address, node.clock.now())
    door = TlsDoor(address, STORAGE_PORTS, context)
    authority = CapabilityAuthority()
    capabilities = PodCapabilities(authority, cluster.pending_seconds)
    host = f"[{address}]" if ":" in address else address
    given = {ADDRESS_FILE: f"{host}:{door.port}", CERTIFICATE_FILE: certificate}
    worker, own = leases.facts.id, node.spec.project(project)

    def place(pod: WaitingPod) -> WarmPlace:
        most = int(cluster.pending_seconds + MOST_SECONDS)
        return WarmPlace(pod.name, worker, project, pod.code_digest, most)

    manifests = StepManifests(
        job=lambda task: step_job(node.spec, _attempt(task), STEP_COMMAND),
        secret=lambda task, uid: step_secret(
            node.spec, _attempt(task), uid, {**given, CAPABILITY_FILE: capabilities.issue(task)}
        ),
        warm_job=lambda pod: warm_job(node.spec, place(pod), STEP_COMMAND),
        warm_secret=lambda pod, uid: warm_secret(
            node.spec, place(pod), uid, {**given, CAPABILITY_FILE: capabilities.issue_waiting(pod)}
        ),
    )
    jobs = _jobs_of(node, cluster, project, manifests)
    plans = HostPlans(lambda: node.spec, node.paths, node.paths.runtime_dir / "none", node.clock)

    def host_order(of_project: str, code_digest: str) -> HostOrder:
        return pod_order(plans.plan(of_project, code_digest))

    verify = CodeCheck(node.code_mount, record.changed_code)
    plane = PodPlane(
        PodPlaneParts(
            wall=_wall_of(node, storages, record, authority),
            door=door,
            jobs=jobs,
            project=project,
            asset_prefix=asset_prefix(project),
            concurrency=own.queue.concurrency,
            most_output_bytes=int(own.resources.file_size),
            leases=leases,
            traces=traces,
            host_order=host_order,
            verify=verify,
            warm=WarmParts(
                jobs=jobs,
                project=project,
                number=own.kubernetes.warm,
                name_of=lambda number: warm_name(worker, project, number),
                is_default_size=lambda step_key: own.kubernetes.size_of(step_key) == DEFAULT_SIZE,
                host_order=host_order,
                verify=verify,
                issue=capabilities.issue,
            ),
        )
    )
    stack.callback(plane.close)
    sweeper = JobSweeper(jobs, leases.held, lambda: set(leases.living()) - {worker})
    sweeper.start()
    stack.callback(sweeper.close)
    return plane


def _jobs_of(node: Node, cluster: Kubernetes, project: str, manifests: StepManifests) -> JobRunner:
    named = os.environ.get(KUBECONFIG_VARIABLE)
    selector = ",".join(f"{key}={value}" for key, value in node_labels(node.spec).items())
    return JobRunner(ClusterApi(Path(named) if named else None), cluster, project, manifests, selector)


def _wall_of(node: Node, storages: DagsterStorages, record: Record, authority: CapabilityAuthority) -> Wall:
    return Wall(
        runs=storages.runs,
        events=storages.events,
        schedules=storages.schedules,
        authority=authority,
        register_output=record.output,
        audit_refusal=record.refused_call,
        mlflow=MlflowOfSteps(node.mlflow, lambda: node.spec),
        home=node.paths.data_dir / "dagster",
        logs=node.paths.logs,
    )


def _own_address() -> str:
    address = os.environ.get(ADDRESS_VARIABLE)
    if not address:
        raise InputError(
            f"{ADDRESS_VARIABLE} is not set.",
            why="The pods of steps reach this worker at that address.",
            remedy="Set it to the IP address of the worker's pod (status.podIP), as the chart does.",
        )
    return address


def _attempt(task: StepTask) -> StepAttempt:
    return StepAttempt(task.project, task.code_digest, task.run_id, task.step_key, task.attempt)
