"""Before a host starts, its approved code is hashed anew: what was changed in the Code Mount does not run."""

from __future__ import annotations

from collections.abc import Callable

from phems.engine.sandbox import HostPlan, HostProcess, SandboxLauncher
from phems.errors import IntegrityError
from phems.services.ports.code_repos import CodeMount


class VerifiedCode:
    """A `SandboxLauncher` that starts the hosts of another, each once its code has been verified.

    `on_mismatch(project, digest, reason)` is called for code that is not what was approved.
    """

    def __init__(
        self, launcher: SandboxLauncher, mount: CodeMount, on_mismatch: Callable[[str, str, str], None]
    ) -> None:
        self._launcher = launcher
        self._mount = mount
        self._on_mismatch = on_mismatch

    def prepare(self, plan: HostPlan) -> None:
        """As the launcher does, once the code has been verified."""
        self._verify(plan)
        self._launcher.prepare(plan)

    def start(self, plan: HostPlan) -> HostProcess:
        """Start a host; raises `IntegrityError` when its code is not what its digest names."""
        self._verify(plan)
        return self._launcher.start(plan)

    def _verify(self, plan: HostPlan) -> None:
        try:
            self._mount.verify(plan.project, plan.code_digest)
        except IntegrityError as error:
            self._on_mismatch(plan.project, plan.code_digest, str(error))
            raise

    def describe(self) -> str:
        """As the launcher says."""
        return self._launcher.describe()

    @property
    def is_isolating(self) -> bool:
        """As the launcher is."""
        return self._launcher.is_isolating
