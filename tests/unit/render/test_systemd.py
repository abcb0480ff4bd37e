"""The units of a node: hardened, and not so much that the sandbox of project code cannot be made in them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phems.nodespec import NodePaths, NodeSpec, node_paths
from phems.render.systemd import WITHHELD, Installation, systemd_files

from .units import parsed

INSTALLED = Installation(program="/opt/phems/bin/phems")
FOLDER = Path("/srv/node")
BUBBLEWRAP_CALLS = {"mount", "umount2", "pivot_root", "chroot", "unshare", "clone", "clone3", "sethostname"}
BUBBLEWRAP_CALLS |= {"capset", "prctl", "seccomp", "keyctl", "setns"}
# What systemd found nothing wrong with, where there is one.
KNOWN = """
AmbientCapabilities CapabilityBoundingSet Description After Wants PartOf WantedBy EnvironmentFile ExecStart
Group KillMode LimitNOFILE LockPersonality NoNewPrivileges OOMPolicy PrivateDevices ProtectClock
ProtectControlGroups ProtectHome ProtectKernelModules ProtectSystem ReadWritePaths RemoveIPC Restart
RestartSec RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID
StartLimitIntervalSec SystemCallArchitectures SystemCallErrorNumber SystemCallFilter TasksMax
TimeoutStopSec Type UMask User WorkingDirectory
"""
SECURITY = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
# Of ten; what is left is the network, /tmp, and the namespaces and mounts of the sandbox.
MOST_EXPOSED = 3.5
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelModules": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "User": "phems",
    "Restart": "always",
    "OOMPolicy": "continue",
}


def node(**more: Any) -> tuple[NodeSpec, NodePaths]:
    document = {
        "version": 1,
        "node": {"name": "st-mary", "title": "St Mary 100%"},
        "controller": {"name": "St Mary"},
        "profile": "server",
        "database": {"url": "env:PHEMS_DATABASE_URL"},
        "broker": {"url": "amqp://rabbitmq:5672", "management": "http://rabbitmq:15672"},
        "projects": {
            name: {"code": {"repo": f"https://git.example/{name}.git"}, "queue": {"pool": pool}}
            for name, pool in (("heart", "default"), ("genes", "large"), ("lungs", "default"))
        },
        **more,
    }
    spec = NodeSpec.model_validate(document)
    return spec, node_paths(spec, FOLDER, uid=7)


def files(installed: Installation = INSTALLED, **more: Any) -> dict[str, Any]:
    return {name: parsed(text) for name, text in systemd_files(*node(**more), installed).items()}


def test_the_target_wants_the_control_process_and_a_worker_for_each_pool() -> None:
    """Otherwise a project's steps wait for workers that nobody starts."""
    wanted = files()["phems.target"]["Unit"]["Wants"]
    assert wanted == ["phems-control.service phems-worker@default.service phems-worker@large.service"]


def test_each_process_is_started_as_the_command_line_wants_it() -> None:
    """Otherwise the unit fails at its first start."""
    made = files(Installation(program="/opt/phems/bin/phems", concurrency=8, drain_seconds=600))
    control, worker = made["phems-control.service"]["Service"], made["phems-worker@.service"]["Service"]
    assert control["ExecStart"] == ["/opt/phems/bin/phems --node /srv/node serve"]
    assert worker["ExecStart"] == [
        "/opt/phems/bin/phems --node /srv/node serve --role worker --pool %i --concurrency 8"
    ]
    assert worker["TimeoutStopSec"] == ["600"]
    assert control["EnvironmentFile"] == worker["EnvironmentFile"] == ["/srv/node/.env"]
    assert (
        "EnvironmentFile"
        not in files(database={"url": "postgresql://db/phems"})["phems-control.service"]["Service"]
    )


@pytest.mark.parametrize("name", ["phems-control.service", "phems-worker@.service"])
def test_services_are_hardened(name: str) -> None:
    """Otherwise whoever breaks into the gateway has the machine."""
    service = files()[name]["Service"]
    assert {key: service[key][-1] for key in HARDENED} == HARDENED
    assert int(service["LimitNOFILE"][0]) >= 65_536
    assert service["ReadWritePaths"] == ["/tmp /srv/node/data /srv/node/releases"]
    assert set(service["RestrictAddressFamilies"][0].split()) >= {"AF_UNIX", "AF_INET", "AF_INET6"}


@pytest.mark.parametrize("name", ["phems-control.service", "phems-worker@.service"])
def test_bubblewrap_can_make_its_sandbox_in_them(name: str) -> None:
    """Otherwise no project code runs at all, or only without its wall."""
    service = files()[name]["Service"]
    assert set(service) & set(WITHHELD) == set()
    assert set(service["RestrictNamespaces"][0].split()) >= {"user", "mnt", "pid", "net", "ipc", "uts"}
    assert "AF_NETLINK" in service["RestrictAddressFamilies"][0].split()
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        assert service["SystemCallFilter"] == ["@system-service @mount seccomp sethostname"]
        return
    allowed: set[str] = set()
    wanted = service["SystemCallFilter"][0].split()
    while wanted:
        call = wanted.pop()
        if not call.startswith("@"):
            allowed.add(call)
            continue
        listed = subprocess.run(
            [analyse, "syscall-filter", "--no-pager", call], capture_output=True, text=True, check=True
        )
        wanted += [line.strip() for line in listed.stdout.splitlines()[1:] if line.strip()[:1] != "#"]
    assert allowed >= BUBBLEWRAP_CALLS


def test_what_lies_in_a_home_or_elsewhere_is_reached() -> None:
    """Otherwise the node starts and finds neither its data nor its anchor's folder."""
    sources = {"cohort": {"path": "/home/data/cohort.csv", "format": "csv"}}
    audit = {"anchors": {"vault": {"folder": {"path": "/mnt/vault"}}}}
    service = files(data_sources=sources, audit=audit)["phems-control.service"]["Service"]
    assert service["ProtectHome"] == ["read-only"]
    assert service["ReadWritePaths"][0].split()[-1] == "/mnt/vault"


def test_the_embedded_profile_is_one_process() -> None:
    """Otherwise workers are started that have nothing to do."""
    made = files(profile="embedded", database={}, broker=None, projects={})
    assert "phems-worker@.service" not in made
    assert made["phems.target"]["Unit"]["Wants"] == ["phems-control.service"]


def test_folders_and_account_are_made_before() -> None:
    """Otherwise the unit fails for a folder that is not there, with a number for a reason."""
    texts = systemd_files(*node(), INSTALLED)
    assert texts["phems.tmpfiles.conf"].splitlines() == [
        "d /srv/node/data 0700 phems phems -",
        "d /srv/node/releases 0700 phems phems -",
    ]
    assert texts["phems.sysusers.conf"].startswith("u phems - ")


def test_names_that_mean_something_to_systemd_are_taken_as_they_are() -> None:
    """Otherwise a folder with a blank or a percent sign in its name is another folder."""
    spec, _ = node()
    paths = node_paths(spec, Path("/srv/my node 100%"), uid=7)
    made = {name: parsed(text) for name, text in systemd_files(spec, paths, INSTALLED).items()}
    service = made["phems-control.service"]["Service"]
    assert service["ExecStart"] == ['/opt/phems/bin/phems --node "/srv/my node 100%%" serve']
    assert service["WorkingDirectory"] == ["/srv/my node 100%%"]
    assert service["ReadWritePaths"][0].startswith('/tmp "/srv/my node 100%%/data"')
    assert made["phems.target"]["Unit"]["Description"] == ["Data node St Mary 100%%"]


@pytest.mark.parametrize("folder", ["/srv/node", "/srv/my node"])
def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path, folder: str) -> None:
    """Otherwise a setting that systemd does not know is ignored, and believed in."""
    spec, _ = node()
    installed = Installation(program=str(Path(sys.executable).with_name("phems")))
    if shutil.which("systemd-analyze") is None:  # what it said of these where there is one
        for unit in files().values():
            assert {key for section in unit.values() for key in section} <= set(KNOWN.split())
        return
    for name, text in systemd_files(spec, node_paths(spec, Path(folder), uid=7), installed).items():
        (tmp_path / name).write_text(text)
    units = ["phems-control.service", "phems-worker@default.service", "phems.target"]
    (tmp_path / units[1]).symlink_to("phems-worker@.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *(tmp_path / u for u in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "phems" in line]
    assert (done.returncode, about_ours) == (0, []), done.stderr


def test_systemd_holds_them_for_well_shut_in(tmp_path: Path) -> None:
    """Otherwise one setting that is dropped one day opens what all the others shut."""
    if shutil.which("systemd-analyze") is None:
        return  # `HARDENED` above is what it goes by
    for name, text in systemd_files(*node(), INSTALLED).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "phems-worker@default.service").symlink_to("phems-worker@.service")
    for unit in ("phems-control.service", "phems-worker@default.service"):
        done = subprocess.run(
            [*SECURITY, f"--threshold={10 * MOST_EXPOSED:.0f}", tmp_path / unit],
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stdout.splitlines()
        assert done.returncode == 0, [line for line in told if line.startswith(("✗", "→"))] + [done.stderr]
        assert "Overall exposure level" in done.stdout
