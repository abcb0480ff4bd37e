"""systemd units of a node: one for the control process, one for each pool of workers, and a target over all.

The sandbox of project code is made inside these units, by bubblewrap without any privilege. So whatever
would keep it from its work stays off, and `WITHHELD` says why; everything else is closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from phems.nodespec import NodePaths, NodeSpec
from phems.render.environment import variables_of

TARGET = "phems.target"
CONTROL = "phems-control.service"
WORKER = "phems-worker@.service"
TEMPORARY_FILES = "phems.tmpfiles.conf"
ACCOUNT = "phems.sysusers.conf"
SOCKETS = "/tmp"  # noqa: S108 (where the node's socket folder is made, checked for its owner)
CONTROL_STOP_SECONDS = 90
OPEN_FILES = 65_536

Settings = Sequence[tuple[str, str]]
Unit = Sequence[tuple[str, Settings]]

NEEDED_BY_BUBBLEWRAP = ("@mount", "seccomp", "sethostname")
"""Beyond @system-service: it mounts a root of its own, names the host and filters system calls in it."""

HARDENING: Settings = (
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
    ("ProtectSystem", "strict"),
    ("PrivateDevices", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectKernelModules", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
    ("RestrictNamespaces", "user mnt pid net ipc uts cgroup"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("RemoveIPC", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", f"@system-service {' '.join(NEEDED_BY_BUBBLEWRAP)}"),
    ("SystemCallErrorNumber", "EPERM"),
    ("UMask", "0077"),
)

WITHHELD: Mapping[str, str] = {
    "PrivateTmp": "commands on the node's folder find its sockets in /tmp",
    "ProtectKernelTunables": "no sandbox can mount a /proc of its own while parts of the host's are covered",
    "ProtectKernelLogs": "as above",
    "ProtectProc": "as above",
    "ProtectHostname": "bubblewrap names the host in the sandbox",
    "MemoryDenyWriteExecute": "analysts' libraries compile code as they run",
    "PrivateNetwork": "the gateway, the database and the broker are reached by network; the sandbox has none",
}
"""What hardening guides ask for and these units do not set, each with its reason."""


@dataclass(frozen=True)
class Installation:
    """How the node is installed on the machine."""

    program: str
    """The absolute path of `phems`."""
    user: str = "phems"
    concurrency: int | None = None
    """Steps of one project at once in a worker; None: as node.yaml has it."""
    drain_seconds: int = 3600
    """How long a worker that is stopped may go on with the steps that it has."""


def systemd_files(spec: NodeSpec, paths: NodePaths, installed: Installation) -> dict[str, str]:
    """The files by their names: units, the account, and the folders that must be there."""
    return {
        TARGET: unit_text(_target(spec)),
        CONTROL: unit_text(_control(spec, paths, installed)),
        **({WORKER: unit_text(_worker(spec, paths, installed))} if spec.profile == "server" else {}),
        ACCOUNT: f'u {installed.user} - "Data node {spec.node.name}" {_escaped(paths.data_dir)}\n',
        TEMPORARY_FILES: "".join(
            f"d {_quoted(folder)} 0700 {installed.user} {installed.user} -\n"
            for folder in _written(spec, paths)
        ),
    }


def unit_text(unit: Unit) -> str:
    """A unit file."""
    sections = (
        "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in settings)]) for name, settings in unit
    )
    return "\n\n".join(sections) + "\n"


def pools_of(spec: NodeSpec) -> list[str]:
    """The pools that projects are served by."""
    return sorted({project.queue.pool for project in spec.projects.values()}) or ["default"]


def _target(spec: NodeSpec) -> Unit:
    workers = [WORKER.replace("@", f"@{pool}") for pool in pools_of(spec)] if spec.profile == "server" else []
    return (
        (
            "Unit",
            (
                ("Description", f"Data node {_title(spec)}"),
                ("Wants", " ".join([CONTROL, *workers])),
            ),
        ),
        ("Install", (("WantedBy", "multi-user.target"),)),
    )


def _control(spec: NodeSpec, paths: NodePaths, installed: Installation) -> Unit:
    about = f"Data node {_title(spec)}: gateway, daemons, orchestrator, publisher"
    return _service(
        spec, paths, installed, about=about, arguments=["serve"], stop_seconds=CONTROL_STOP_SECONDS
    )


def _worker(spec: NodeSpec, paths: NodePaths, installed: Installation) -> Unit:
    arguments = ["serve", "--role", "worker", "--pool", "%i"]
    if installed.concurrency is not None:
        arguments += ["--concurrency", str(installed.concurrency)]
    about = f"Data node {_title(spec)}: workers of the pool %i"
    return _service(
        spec, paths, installed, about=about, arguments=arguments, stop_seconds=installed.drain_seconds
    )


def _service(
    spec: NodeSpec,
    paths: NodePaths,
    installed: Installation,
    *,
    about: str,
    arguments: Iterable[str],
    stop_seconds: int,
) -> Unit:
    command = [_for_exec(installed.program), "--node", _for_exec(paths.folder), *arguments]
    environment = [("EnvironmentFile", _escaped(paths.folder / ".env"))] if variables_of(spec) else []
    return (
        (
            "Unit",
            (
                ("Description", about),
                ("Wants", "network-online.target"),
                ("After", "network-online.target postgresql.service rabbitmq-server.service"),
                ("PartOf", TARGET),
                # A service that it needs may be away for long: it is tried again for ever.
                ("StartLimitIntervalSec", "0"),
            ),
        ),
        (
            "Service",
            (
                ("Type", "exec"),
                ("User", installed.user),
                ("Group", installed.user),
                ("WorkingDirectory", _escaped(paths.folder)),
                *environment,
                ("ExecStart", " ".join(command)),
                ("Restart", "always"),
                ("RestartSec", "2"),
                # SIGTERM to the process itself, which ends its own in their order.
                ("KillMode", "mixed"),
                ("TimeoutStopSec", str(stop_seconds)),
                # A step that uses up the memory is that step's failure, not the node's.
                ("OOMPolicy", "continue"),
                ("LimitNOFILE", str(OPEN_FILES)),
                ("TasksMax", "infinity"),
                *HARDENING,
                ("ProtectHome", "read-only" if _is_at_home(spec, paths, installed) else "yes"),
                ("ReadWritePaths", " ".join([SOCKETS, *map(_quoted, _written(spec, paths))])),
            ),
        ),
        ("Install", (("WantedBy", TARGET),)),
    )


def _written(spec: NodeSpec, paths: NodePaths) -> list[PurePosixPath]:
    """The folders that the node writes to."""
    anchors = [anchor.folder for anchor in spec.audit.anchors.values() if anchor.folder is not None]
    folders = [paths.data_dir, paths.release_zone, *(paths.resolve(anchor.path) for anchor in anchors)]
    return [PurePosixPath(folder) for folder in dict.fromkeys(folders)]


def _is_at_home(spec: NodeSpec, paths: NodePaths, installed: Installation) -> bool:
    """Whether something that the node reads or writes lies where ProtectHome would hide it."""
    places = [
        PurePosixPath(installed.program),
        PurePosixPath(paths.folder),
        *_written(spec, paths),
        *(PurePosixPath(paths.resolve(source.path)) for source in spec.data_sources.values()),
    ]
    return any(place.is_relative_to(home) for place in places for home in ("/home", "/root", "/run/user"))


def _title(spec: NodeSpec) -> str:
    return _escaped(re.sub(r"\s+", " ", spec.node.title or spec.node.name))


def _escaped(text: object) -> str:
    return str(text).replace("%", "%%")


def _quoted(text: object) -> str:
    """A word of a unit file, whatever is in it."""
    word = _escaped(text)
    if re.fullmatch(r"[A-Za-z0-9_./:@%+=,-]+", word):
        return word
    inner = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def _for_exec(text: object) -> str:
    return _quoted(text).replace("$", "$$")
