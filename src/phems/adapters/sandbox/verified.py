"""Before a host starts, its approved code is hashed anew: what was changed in the Code Mount does not run."""

from __future__ import annotations

from collections.abc import Callable

from phems.engine.sandbox import HostPlan, HostProcess, SandboxLauncher
from phems.errors import IntegrityError
from phems.services.ports.code_repos import CodeMount


class CodeCheck:
    """Verifies a project's code by its digest, in the Code Mount.

    `on_mismatch(project, digest, reason)` is called for code that is not what was approved.
    """

    def __init__(self, mount: CodeMount, on_mismatch: Callable[[str, str, str], None]) -> None:
        self._mount = mount
        self._on_mismatch = on_mismatch

    def __call__(self, project: str, code_digest: str) -> None:
        """Raise `IntegrityError` when the code is not what its digest names."""
        try:
            self._mount.verify(project, code_digest)
        except IntegrityError as error:
            self._on_mismatch(project, code_digest, str(error))
            raise


class VerifiedCode:
    """A `SandboxLauncher` that starts the hosts of another, each once its code has been verified."""

    def __init__(self, launcher: SandboxLauncher, check: CodeCheck) -> None:
        self._launcher = launcher
        self._check = check

    def prepare(self, plan: HostPlan) -> None:
        """As the launcher does, once the code has been verified."""
        self._check(plan.project, plan.code_digest)
        self._launcher.prepare(plan)

    def start(self, plan: HostPlan) -> HostProcess:
        """Start a host; raises `IntegrityError` when its code is not what its digest names."""
        self._check(plan.project, plan.code_digest)
        return self._launcher.start(plan)

    def describe(self) -> str:
        """As the launcher says."""
        return self._launcher.describe()

    @property
    def is_isolating(self) -> bool:
        """As the launcher is."""
        return self._launcher.is_isolating
