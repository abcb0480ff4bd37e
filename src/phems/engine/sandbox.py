"""The sandbox port: where a project host runs.

`SandboxLauncher.start` starts one host and returns at once; the host speaks over `control` (see
`contract.host_messages`). Ending the process ends everything below it. Starting is not idempotent:
each call is a new host. What a sandbox gives and withholds is said in `describe`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from phems.contract.step_order import ResourceLimits


@dataclass(frozen=True)
class HostPlan:
    """What one project host is to be.

    Paths are the control plane's; `sources` maps a name to a path and a format.
    """

    project: str
    location_name: str
    code_digest: str
    code_dir: Path
    root: str
    module: str
    asset_prefix: str
    python: Path | None
    artifact_dir: Path
    host_dir: Path
    capability_file: Path
    storage_socket: Path
    log_file: Path
    sources: Mapping[str, tuple[Path, str]]
    limits: ResourceLimits
    variables: Mapping[str, str] = field(default_factory=dict)
    fetched_dir: Path | None = None
    requirements: str | None = None
    """The lock file that the project's environment is built from; None when none is built."""
    mlflow: bool = False
    """Whether its steps reach an MLflow server of the project."""


class HostProcess(Protocol):
    """A started host."""

    @property
    def pid(self) -> int | None:
        """Its process number, outside of the sandbox; None when it is a process of another machine."""
        ...

    @property
    def control(self) -> socket.socket:
        """Our end of its control socket."""
        ...

    def wait(self) -> int:
        """Wait for its end; gives its exit status."""
        ...

    def kill(self) -> None:
        """End it and everything below it, now."""
        ...

    def why_ended(self) -> str:
        """What ended it, when that is known on this side of the wall; empty when it is not."""
        ...


class SandboxLauncher(Protocol):
    """Starts project hosts."""

    def prepare(self, plan: HostPlan) -> None:
        """Make what a host of this plan needs on this machine. May take minutes. Idempotent."""
        ...

    def start(self, plan: HostPlan) -> HostProcess:
        """Start one host; raises `UnavailableError` when it cannot be started."""
        ...

    def describe(self) -> str:
        """One line on what the sandbox withholds, for status, runs and the audit log."""
        ...

    @property
    def is_isolating(self) -> bool:
        """Whether project code is kept from files, network and other processes."""
        ...
