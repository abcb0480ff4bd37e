"""What each project's host is to be, from the node spec and the node's folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from phems.contract.step_order import ResourceLimits
from phems.domain.admission import AdmissionRules
from phems.engine.control_plane import ProjectSettings
from phems.engine.sandbox import HostPlan
from phems.nodespec import NodePaths, NodeSpec
from phems.nodespec.projects import Project
from phems.services.ports.clock import Clock
from phems.services.run_projects import RunProject, Source


def asset_prefix(project: str) -> str:
    """The first part of every asset key of a project: its name, as Python writes it."""
    return project.replace("-", "_")


def settings_of(spec: NodeSpec) -> dict[str, ProjectSettings]:
    """What the engine is told of each project."""
    return {
        name: ProjectSettings(
            asset_prefix=asset_prefix(name),
            limits=limits_of(project),
            concurrency=project.queue.concurrency,
            runs=project.queue.runs,
            priority=project.queue.priority,
        )
        for name, project in spec.projects.items()
    }


def limits_of(project: Project) -> ResourceLimits:
    """What one step may use."""
    resources = project.resources
    return ResourceLimits(
        memory=int(resources.memory),
        cpu_seconds=resources.cpu_seconds,
        processes=resources.processes,
        file_size=int(resources.file_size),
    )


def run_project(spec: NodeSpec, paths: NodePaths, project: str, policy_version: str) -> RunProject:
    """What admission is told of a project; `spec` is the one in force, under the label of its version."""
    found, policy = spec.project(project), spec.policy_of(project)
    granted = {grant.source: spec.data_sources[grant.source] for grant in found.data_grants}
    return RunProject(
        policy_version=policy_version,
        rules=AdmissionRules(
            {grant.source: grant.expires for grant in found.data_grants},
            needs_sandbox=policy.sandbox == "required",
            needs_capsule_approval=policy.approve == "capsule",
        ),
        sources={
            name: Source(f"{source.format}:{source.path}", paths.resolve(source.path), source.version)
            for name, source in granted.items()
        },
        interpreter=_interpreter(spec, found),
        variables=found.environment.variables,
    )


def _interpreter(spec: NodeSpec, project: Project) -> str | None:
    """What is said of the Python that steps run with; on a cluster it is in the image."""
    described = project.environment.described
    if spec.profile != "kubernetes" or spec.kubernetes is None:
        return described
    image = project.kubernetes.image or spec.kubernetes.image
    return f"{described}, steps in {image}" if described else f"steps in {image}"


class HostPlans:
    """Makes host plans, by the node spec of the moment; makes the folders that a host may write."""

    def __init__(
        self, spec: Callable[[], NodeSpec], paths: NodePaths, storage_socket: Path, clock: Clock
    ) -> None:
        self._spec_now = spec
        self._paths = paths
        self._storage_socket = storage_socket
        self._clock = clock

    def plan(self, project: str, code_digest: str) -> HostPlan:
        """The plan of one host: approved code, granted sources that are there, limits of the node spec."""
        spec = self._spec_now()
        found = spec.project(project)
        name = f"{project}-{code_digest[:12]}"
        host_dir = self._paths.runtime_dir / "hosts" / name
        capability_dir = self._paths.runtime_dir / "capabilities" / name
        artifacts = self._paths.artifacts(project)
        fetched = self._paths.fetched(project) if spec.storage.s3 is not None else None
        for folder in filter(None, (host_dir, capability_dir, artifacts, fetched)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        python = found.environment.python
        return HostPlan(
            project=project,
            location_name=project,
            code_digest=code_digest,
            code_dir=self._paths.code_mount(project) / code_digest,
            root=found.code.root,
            module=found.code.module,
            asset_prefix=asset_prefix(project),
            python=self._paths.resolve(python) if python else None,
            artifact_dir=artifacts,
            host_dir=host_dir,
            capability_file=capability_dir / "token",
            storage_socket=self._storage_socket,
            log_file=self._paths.logs / "hosts" / f"{project}.log",
            sources=self._sources(spec, found),
            limits=limits_of(found),
            variables=dict(found.environment.variables),
            fetched_dir=fetched,
            requirements=found.environment.requirements,
            mlflow=found.mlflow,
        )

    def _sources(self, spec: NodeSpec, project: Project) -> dict[str, tuple[Path, str]]:
        today = self._clock.now().date()
        sources: dict[str, tuple[Path, str]] = {}
        for grant in project.data_grants:
            source = spec.data_sources[grant.source]
            path = self._paths.resolve(source.path)
            if path.is_file() and (grant.expires is None or today <= grant.expires):
                sources[grant.source] = (path, source.format)
        return sources
