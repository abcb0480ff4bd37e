"""The environment of every process that runs project code in a node, in a sandbox or in a pod."""

from __future__ import annotations

from collections.abc import Mapping

PROCESS_ENVIRONMENT: Mapping[str, str] = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own, or the pod's
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    # Of definitions that name no `io_manager`. Dagster's own default keeps values in /tmp, which ends with
    # the process, and which no other worker or pod shares: see docs/adr/0054.
    "DAGSTER_DEFAULT_IO_MANAGER_MODULE": "phems.project.io",
    "DAGSTER_DEFAULT_IO_MANAGER_ATTRIBUTE": "default_io_manager",
}
