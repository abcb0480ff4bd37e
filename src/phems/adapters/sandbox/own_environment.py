"""A project's host runs with the environment that was built for its code revision."""

from __future__ import annotations

from dataclasses import replace

from phems.adapters.environments.built import BuiltEnvironments
from phems.engine.sandbox import HostPlan, HostProcess, SandboxLauncher


class OwnEnvironment:
    """A `SandboxLauncher` that gives the hosts of another the Python that was built for them."""

    def __init__(self, launcher: SandboxLauncher, environments: BuiltEnvironments) -> None:
        self._launcher = launcher
        self._environments = environments

    def prepare(self, plan: HostPlan) -> None:
        """Build the environment of a plan that has one of its own, unless it is there."""
        if plan.requirements is not None:
            self._environments.build(plan.code_dir, plan.requirements)
        self._launcher.prepare(plan)

    def start(self, plan: HostPlan) -> HostProcess:
        """Start a host; raises `IntegrityError` when its environment is not what was built."""
        if plan.requirements is not None:
            plan = replace(plan, python=self._environments.python(plan.code_dir, plan.requirements))
        return self._launcher.start(plan)

    def describe(self) -> str:
        """As the launcher says."""
        return self._launcher.describe()

    @property
    def is_isolating(self) -> bool:
        """As the launcher is."""
        return self._launcher.is_isolating
