"""The engine of a node, wired: its storages, sandbox, admission desk and host plans."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from phems.adapters.admission_desk import ServiceDesk
from phems.adapters.host_plans import HostPlans, run_project, settings_of
from phems.adapters.host_pods.launcher import PodHosts
from phems.adapters.postgres.dagster_storage import DagsterStorages, open_storages
from phems.adapters.postgres.queued_runs import PostgresQueuedRuns
from phems.adapters.project_data import GrantedFiles
from phems.adapters.sandbox import bare, bubblewrap
from phems.adapters.sandbox.own_environment import OwnEnvironment
from phems.adapters.sandbox.verified import CodeCheck, VerifiedCode
from phems.bootstrap.environments import environments_of
from phems.bootstrap.host_pods import host_pods_of
from phems.bootstrap.mlflow import MlflowOfSteps
from phems.bootstrap.node import Node
from phems.contract.capability import Capability
from phems.domain.actors import NODE, Actor
from phems.domain.policy_versions import UNVERSIONED
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.control_plane import ControlPlane, ControlPlaneParts, Leader
from phems.engine.sandbox import SandboxLauncher
from phems.engine.step_queue import StepQueue
from phems.engine.traces import Traces
from phems.engine.untold import step_name
from phems.engine.wall import HostedWall
from phems.errors import InputError, UnavailableError
from phems.nodespec import NodePaths, NodeSpec
from phems.services.admission import Admission, Sandboxing
from phems.services.run_projects import RunProject

REASON_LENGTH = 500
PODS = "Kubernetes Jobs: Pod Security restricted, no network but the wall, read-only code and data"


def choose_launcher(spec: NodeSpec, paths: NodePaths) -> SandboxLauncher:
    """Pods, where node.yaml has them load definitions; else a sandbox of this machine."""
    if (hosts := host_pods_of(spec, paths)) is not None:
        return hosts
    return choose_sandbox(spec)


def choose_sandbox(spec: NodeSpec) -> SandboxLauncher:
    """Bubblewrap where it works; a bare process where every policy allows that."""
    found = bubblewrap.find()
    if found is not None:
        return bubblewrap.BubblewrapSandbox(found)
    strict = [name for name in spec.projects if spec.policy_of(name).sandbox == "required"]
    if strict:
        raise UnavailableError(
            f"The policy of {', '.join(strict)} requires a sandbox, and bubblewrap does not work here.",
            why="bwrap is not installed, or this user may not make namespaces.",
            remedy="As root: apt-get install bubblewrap. Or set sandbox: preferred in the policy.",
        )
    return bare.BareProcess()


def build_control_plane(
    node: Node,
    launcher: SandboxLauncher,
    stack: ExitStack,
    *,
    steps: StepQueue | None = None,
    leader: Leader | None = None,
    traces: Traces | None = None,
) -> ControlPlane:
    """The control plane of a node; what it stands on is closed by `stack`, after it.

    Without `steps` they run in this process; without `leader` no other process drives runs.
    """
    spec = node.spec
    storages = open_storages(node.database.url("dagster"), connections=spec.database.connections.engine)
    stack.callback(storages.close)
    sandboxing = sandboxing_of(spec, launcher)
    admission = Admission(
        node.governance,
        node.clock,
        _RunProjects(node),
        sandboxing,
        node.data_versions,
        node.capsules,
        node.code_approvals.check,
    )
    settings = settings_of(spec)
    priorities = {name: project.priority for name, project in settings.items()}
    control = ControlPlane(
        ControlPlaneParts(
            wall=wall_of(node, launcher, storages, Record(node)),
            desk=ServiceDesk(admission, sandboxing, priorities),
            projects=settings,
            queued_runs=PostgresQueuedRuns(node.database.engine("dagster")),
            steps=steps,
            leader=leader,
            traces=traces,
        )
    )
    stack.callback(control.close)
    return control


def sandboxing_of(spec: NodeSpec, launcher: SandboxLauncher) -> Sandboxing:
    """What runs are told of the walls around their code."""
    told = launcher.describe()
    if spec.profile == "kubernetes":
        told = f"{PODS}. Definitions: {told}"
    return Sandboxing(launcher.is_isolating, told)


def wall_of(node: Node, launcher: SandboxLauncher, storages: DagsterStorages, record: Record) -> HostedWall:
    """What this process's hosts and storage service stand on."""
    paths = node.paths
    if not isinstance(launcher, PodHosts):  # in a pod, definitions have what is in the image
        launcher = OwnEnvironment(launcher, environments_of(lambda: node.spec, paths))
    storage_socket = paths.runtime_dir / "storage.sock"
    return HostedWall(
        runs=storages.runs,
        events=storages.events,
        schedules=storages.schedules,
        launcher=VerifiedCode(launcher, CodeCheck(node.code_mount, record.changed_code)),
        authority=CapabilityAuthority(),
        plan_for=HostPlans(lambda: node.spec, paths, storage_socket, node.clock).plan,
        data=GrantedFiles(_RunProjects(node), node.data_versions, node.clock),
        register_output=record.output,
        audit_refusal=record.refused_call,
        values=node.files.shared,
        mlflow=MlflowOfSteps(node.mlflow, lambda: node.spec),
        home=paths.data_dir / "dagster",
        logs=paths.logs,
        storage_socket=storage_socket,
        location_sockets=paths.runtime_dir / "locations",
    )


class _RunProjects:
    """The projects of a node, as the rules in force have them."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __call__(self, project: str, *, read_again: bool = False) -> RunProject:
        node = self._node
        if read_again:
            node.follow_policies()
        label = node.policy_versions.get(project, UNVERSIONED.label)
        return run_project(node.spec, node.paths, project, label)


class Record:
    """What the engine has governance write down."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def output(
        self, capability: Capability, relative_path: str, declaration: Mapping[str, Any] | None = None
    ) -> dict[str, object]:
        """A file that a step wrote; see `engine.storage_service.OutputRegister`."""
        if capability.run_id is None or capability.step_key is None:
            raise InputError("Only a step can register outputs.")
        output = self._node.outputs.register_output(
            capability.project, capability.run_id, capability.step_key, relative_path, declaration
        )
        return {"path": output.path, "sha256": output.sha256, "size": output.size}

    def refused_call(self, capability: Capability, method: str, reason: str) -> None:
        """Project code asked the storage service for what is not its own."""
        self._append(
            Actor(f"code:{capability.project}", "system"),
            "storage.call",
            method,
            project=capability.project,
            result="refused",
            details={
                "run_id": capability.run_id,
                "step": step_name(capability.step_key) if capability.step_key else "code server",
                "reason": reason[:REASON_LENGTH],
            },
        )

    def changed_code(self, project: str, digest: str, reason: str) -> None:
        """The code in the Code Mount, or its approvals, are not what they must be; no host was started."""
        details = {"reason": reason[:REASON_LENGTH]}
        self._append(NODE, "code.verify", digest, project=project, result="refused", details=details)

    def ended_run(self, run_id: str, project: str, *, revoked_by: str, commit: str) -> None:
        """The node is about to end a run because its code was revoked."""
        details = {"because": "its code was revoked", "commit": commit, "revoked_by": revoked_by}
        self._append(NODE, "run.cancel", run_id, project=project, details=details)

    def lifecycle(self, action: str, **details: str) -> None:
        """The node starts or stops; a database that is away is not waited for as long as for a run."""
        with self._node.governance.transaction() as work:
            work.audit.append(NODE, action, self._node.spec.node.name, details=details)

    def _append(self, actor: Actor, action: str, subject: str, **told: Any) -> None:
        self._node.governance.act(lambda work: work.audit.append(actor, action, subject, **told))
