"""No sandbox: a plain process, for machines without bubblewrap where policy says `preferred`.

Project code then runs with the node's own rights over files and network. The wall's other parts
hold (storage service, capabilities, admission), but nothing keeps hostile code from the node's
files: status, runs and the audit log say so.
"""

from __future__ import annotations

from phems.adapters.sandbox import host_process
from phems.adapters.sandbox.environment import BASE_ENVIRONMENT, interpreter
from phems.adapters.sandbox.orders import Places, order_for
from phems.engine.sandbox import HostPlan, HostProcess


class BareProcess:
    """Starts project hosts as plain processes; see `engine.sandbox.SandboxLauncher`."""

    is_isolating = False

    def describe(self) -> str:
        """One line for people."""
        return "NO SANDBOX: bubblewrap is missing; project code can read the node's files and use the network"

    def prepare(self, plan: HostPlan) -> None:
        """Nothing: a sandbox is made when it is started."""

    def start(self, plan: HostPlan) -> HostProcess:
        """Start one host as a process."""
        python = interpreter(plan.python)
        places = Places(
            code=str(plan.code_dir),
            host_dir=str(plan.host_dir),
            artifact_dir=str(plan.artifact_dir),
            data_dir=str(plan.host_dir),
            storage_socket=str(plan.storage_socket),
            capability_dir=str(plan.capability_file.parent),
            source=lambda _name, path: str(path),
            fetched_dir=str(plan.fetched_dir),
        )
        return host_process.start(
            lambda fd: [str(python), "-m", "phems.host", str(fd)],
            order_for(plan, places),
            plan.log_file,
            environment=dict(BASE_ENVIRONMENT),
        )
