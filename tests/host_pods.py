"""The pod of a project's host as a process of this machine, as its Deployment starts it, with hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from phems.adapters.host_pods.keys import HostKeys
from phems.adapters.host_pods.launcher import pod_order
from phems.adapters.host_pods.pod_host import PodHost
from phems.adapters.host_pods.streams import Streams
from phems.contract.host_messages import MAX_MESSAGE_BYTES, HostMessage, unpack
from phems.contract.step_order import ResourceLimits
from phems.engine.sandbox import HostPlan
from phems.render.host_objects import HOST_COMMAND

HERE = "127.0.0.1"
SECRET = "0123456789abcdef" * 4
KEYS = HostKeys(SECRET)
LIMITS = ResourceLimits(memory=1 << 32, cpu_seconds=60, processes=500, file_size=1 << 30)


@dataclass
class RunningPod:
    """A pod that runs; `tmp` is the folder of its hosts."""

    process: subprocess.Popen[str]
    port: int
    tmp: Path


@contextmanager
def running_pod(folder: Path, project: str = "heart") -> Iterator[RunningPod]:
    """The pod of a project, until the end of the block."""
    keys, tmp = folder / "keys", folder / "tmp"
    keys.mkdir(parents=True)
    tmp.mkdir()
    for name, text in KEYS.files_of(project).items():
        (keys / name).write_text(text)
    process = subprocess.Popen(
        [sys.executable, *HOST_COMMAND[1:-1], str(keys), "0"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = process.stderr.readline()
        yield RunningPod(process, int(told.rstrip(".\n").rpartition(" ")[2]), tmp)
    finally:
        # A container's end is that of all that runs in it.
        inside = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(60)
        for each in inside:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.stderr.close()


def plan_of(folder: Path, code: str, project: str = "heart") -> HostPlan:
    """What a host of this code is to be, with the folders that it needs."""
    for name in ("host", "capability", "code", "artifacts"):
        (folder / name).mkdir(parents=True)
    (folder / "code" / f"{project}_definitions.py").write_text(code)
    (folder / "capability" / "token").write_text("a-capability")
    return HostPlan(
        project=project,
        location_name=project,
        code_digest="ab" * 32,
        code_dir=folder / "code",
        root=".",
        module=f"{project}_definitions",
        asset_prefix=project,
        python=None,
        artifact_dir=folder / "artifacts",
        host_dir=folder / "host",
        capability_file=folder / "capability" / "token",
        storage_socket=folder / "storage.sock",
        log_file=folder / "log",
        sources={},
        limits=LIMITS,
    )


def asked_for(plan: HostPlan, port: int, keys: HostKeys = KEYS) -> PodHost:
    """A host that the pod at this port is asked for; its code lies where the plan has it."""
    order = replace(pod_order(plan), root=str(plan.code_dir))
    host = PodHost(plan, order, lambda: Streams(plan.project, (HERE, port), keys))
    host.begin()
    return host


def heard(host: PodHost, seconds: float = 120) -> HostMessage:
    """The next that it says."""
    host.control.settimeout(seconds)
    return unpack(host.control.recv(MAX_MESSAGE_BYTES))
