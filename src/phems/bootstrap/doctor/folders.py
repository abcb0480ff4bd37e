"""Checks on the folders that the node writes: whose they are, who else gets in, room, and what they can."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from phems.adapters.files.disk_space import LocalDisks
from phems.bootstrap.doctor.findings import Patient, Seen, failed, ok, warning
from phems.services.node_health import SHORT_BYTES, SHORT_SHARE

OTHERS = 0o007
GROUP_AND_OTHERS = 0o077
LEAST_BYTES = 64 * 1024**2
PUBLIC = ".pub.pem"


def look_at_data_folder(patient: Patient) -> Iterator[Seen]:
    """The folder of everything that the node writes."""
    folder = patient.paths.data_dir
    yield from _writable(folder)
    if folder.is_dir() and folder.stat().st_mode & OTHERS:
        yield warning(f"{folder} can be entered by every user of this machine", f"chmod o-rwx {folder}")


def look_at_release_zone(patient: Patient) -> Iterator[Seen]:
    """The folder that released files are published to."""
    yield from _writable(patient.paths.release_zone)


def look_at_room(patient: Patient) -> Iterator[Seen]:
    """Free space where the node writes."""
    places = {"data": patient.paths.data_dir, "releases": patient.paths.release_zone}
    for disk in LocalDisks({place: _nearest(path) for place, path in places.items()}).space():
        told = f"{disk.free_bytes / 1024**3:.1f} of {disk.total_bytes / 1024**3:.1f} GiB are free"
        remedy = f"Make room: df -h {disk.path}"
        if disk.free_bytes < LEAST_BYTES:
            yield failed(told, remedy, about=disk.place)
        elif disk.free_bytes < SHORT_BYTES and disk.free_bytes < disk.total_bytes * SHORT_SHARE:
            yield warning(told, remedy, about=disk.place)
        else:
            yield ok(told, about=disk.place)


def look_at_file_system(patient: Patient) -> Iterator[Seen]:
    """What the node needs of the file systems that it writes to: hard links, locks, renames within one."""
    for about, folder in (("data", patient.paths.data_dir), ("sockets", patient.paths.runtime_dir)):
        nearest = _nearest(folder)
        try:
            _try_out(nearest)
        except OSError as error:
            what = f"files in {nearest} cannot be linked and locked: {error.strerror}"
            yield failed(what, "Put it on a disk of this machine, or on an NFS 4 with locks", about=about)
        else:
            yield ok("hard links and locks work", about=about)
    apart = [
        inner.name
        for inner in sorted(patient.paths.data_dir.glob("*"))
        if inner.is_dir() and inner.stat().st_dev != patient.paths.data_dir.stat().st_dev
    ]
    if apart:
        yield ok(f"on disks of their own: {', '.join(apart)}", about="data")


def look_at_keys(patient: Patient) -> Iterator[Seen]:
    """Keys and passwords are the node's user's alone."""
    keys = patient.paths.keys
    if not keys.exists():
        yield ok(f"{keys} is made at the first start")
        return
    if keys.stat().st_uid != os.geteuid():
        yield failed(f"{keys} belongs to user {keys.stat().st_uid}", f"chown -R {os.geteuid()} {keys}")
        return
    # What lies below is behind the folder itself; a file is moved and copied with its own mode.
    files = [path for path in sorted(keys.rglob("*")) if not path.is_dir()]
    private = [keys, *(path for path in files if not path.name.endswith(PUBLIC))]
    open_ = [path for path in private if path.lstat().st_mode & GROUP_AND_OTHERS]
    for path in open_:
        remedy = f"chmod go-rwx {path}; whoever could read it may have: make new keys if that matters"
        yield failed(f"{path} is open to others ({stat.filemode(path.lstat().st_mode)})", remedy)
    if not open_:
        yield ok(f"{len(private) - 1} secret files, for this user alone")


def _writable(folder: Path) -> Iterator[Seen]:
    nearest = _nearest(folder)
    made = "" if folder == nearest else ", and will be made"
    who = f"ls -ld {nearest}; id"
    if not nearest.is_dir():
        yield failed(f"{nearest} is not a folder", f"Move it: {who}")
        return
    if folder == nearest and folder.stat().st_uid != os.geteuid():
        remedy = f"Run the node as that user, or as root: chown -R {os.geteuid()} {folder}"
        yield failed(f"{folder} belongs to user {folder.stat().st_uid}, and this is {os.geteuid()}", remedy)
        return
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        yield failed(f"{nearest} cannot be written: {error.strerror}", f"See whose it is: {who}")
    else:
        yield ok(f"{folder} can be written{made}")


def _try_out(folder: Path) -> None:
    """Raises OSError unless a file can be linked and locked there."""
    with tempfile.TemporaryDirectory(prefix=".phems-doctor-", dir=folder) as trial:
        first = Path(trial) / "first"
        first.touch()
        os.link(first, Path(trial) / "second")
        with first.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(place for place in (folder, *folder.parents) if os.path.lexists(place))
