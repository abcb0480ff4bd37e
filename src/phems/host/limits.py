"""Resource limits that a step process takes on before any project code of it runs.

Limits are the kernel's own (`setrlimit`), hard, so that they cannot be raised again. The memory
limit is on private writable memory (RLIMIT_DATA): on the address space it would count files that
Arrow and NumPy only map.
"""

from __future__ import annotations

import resource

from phems.contract.step_order import ResourceLimits

DESCRIPTION = "rlimit: data, cpu, nproc, fsize, core"
CORE_FILES = 0
# Between the signal that says what was used up and the one that cannot be caught.
CPU_GRACE_SECONDS = 5


def apply(limits: ResourceLimits) -> None:
    """Take the limits on, for this process and all that it starts."""
    cpu = limits.cpu_seconds
    _take_on(
        {
            resource.RLIMIT_CPU: (cpu, cpu + CPU_GRACE_SECONDS),
            resource.RLIMIT_NPROC: (limits.processes, limits.processes),
        }
    )
    apply_lasting(limits)


def apply_lasting(limits: ResourceLimits) -> None:
    """Those that fit a process which lives as long as its code is approved: the host, the code server."""
    _take_on(
        {
            resource.RLIMIT_DATA: (limits.memory, limits.memory),
            resource.RLIMIT_FSIZE: (limits.file_size, limits.file_size),
            resource.RLIMIT_CORE: (CORE_FILES, CORE_FILES),
        }
    )


def apply_in_pod(limits: ResourceLimits) -> None:
    """Those that a cluster does not set: it sees to memory, processes and time by the pod's own size."""
    _take_on(
        {
            resource.RLIMIT_FSIZE: (limits.file_size, limits.file_size),
            resource.RLIMIT_CORE: (CORE_FILES, CORE_FILES),
        }
    )


def _take_on(wanted: dict[int, tuple[int, int]]) -> None:
    for kind, (soft, hard) in wanted.items():
        _, most = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)  # noqa: PLW2901
        resource.setrlimit(kind, (soft, hard))
