"""What a backup of a node holds: its manifest, which names every file with its SHA-256 and is written last.

A folder without a whole manifest is no backup. Paths are relative to the backup, and say what a file is:
`database/` the dumps of Postgres, `data/` what lay in data_dir, `releases/` the release zone, `node/` the
folder of node.yaml, `keys/` the keys, or `keys.sealed` all of them encrypted with a passphrase.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from phems.domain.audit import Entry
from phems.errors import InputError, IntegrityError, UnavailableError

FORMAT = 1
MANIFEST = "manifest.json"
SEALED_KEYS = "keys.sealed"

DATABASE, DATA, RELEASES, NODE, KEYS = "database", "data", "releases", "node", "keys"
AREAS = frozenset({DATABASE, DATA, RELEASES, NODE, KEYS})

LEFT_OUT: Mapping[str, str] = {
    "postgres": "its content is in the dumps",
    "postgres.log": "it tells of this server alone",
    "postgres.log.1": "it tells of this server alone",
    "postgres.unfinished": "it is what a start left that was killed",
    "keys": "they are backed up apart, and encrypted with a passphrase",
    "audit": "it is copied first, so that it is never ahead of the database",
    "lock": "it says which process works on the node",
    "status.json": "it says what the running node does",
    "fetched": "it is fetched again from the bucket",
    "mirrors": "they are fetched again from the Code Repos",
}
"""What of data_dir is not copied with the rest, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedFile:
    """A file of a backup."""

    path: str
    sha256: str
    size: int
    mode: int
    """The permissions that it is restored with."""
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedLink:
    """A symbolic link: kept as a link, never followed."""

    path: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedFolder:
    """A folder, for its permissions, and for those that are empty."""

    path: str
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketObject:
    """An object that stays in its bucket: which one the backup goes with."""

    key: str
    size: int
    etag: str
    version: str
    """Empty where the bucket keeps no versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that a backup is."""

    node: str
    made_at: str
    software: str
    migration: str
    postgres: int
    """The major version of the server that was dumped."""
    audit_size: int
    """How many entries the audit log had in the dump."""
    audit_root: str
    """The root of its Merkle tree, hex."""
    keys: Literal["plain", "sealed"]
    files: Sequence[BackedFile]
    links: Sequence[BackedLink] = ()
    folders: Sequence[BackedFolder] = ()
    left_out: Sequence[str] = ()
    """What is neither file, folder nor link, such as a socket."""
    buckets: Mapping[str, Sequence[BucketObject]]
    """Objects that are not in the backup, by bucket."""

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def as_text(self) -> str:
        """The manifest's file. A name that is no text keeps its bytes, escaped."""
        return json.dumps({"phems_backup": FORMAT, **asdict(self)}, indent=1) + "\n"


def parse_manifest(text: str) -> Manifest:
    """The manifest of its file; InputError when it is none that this version reads."""
    try:
        found = json.loads(text)
        form = found.pop("phems_backup")
        manifest = Manifest(
            **{
                **found,
                "files": [BackedFile(**each) for each in found["files"]],
                "links": [BackedLink(**each) for each in found["links"]],
                "folders": [BackedFolder(**each) for each in found["folders"]],
                "buckets": {
                    name: [BucketObject(**each) for each in objects]
                    for name, objects in found["buckets"].items()
                },
            }
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _no_manifest(str(error)) from error
    paths = [each.path for each in manifest.files]
    paths += [each.path for each in manifest.links]
    paths += [each.path for each in manifest.folders]
    strange = [path for path in paths if not _stays_inside(path)]
    if strange or form != FORMAT:
        raise _no_manifest(f"it names {strange[0]!r}" if strange else f"its form is {form!r}, not {FORMAT}")
    return manifest


def check_schema(manifest: Manifest, latest: str) -> None:
    """UnavailableError when a later version of the node made the backup."""
    if manifest.migration > latest:
        raise UnavailableError(
            "The backup was made by a later version of the node.",
            why=f"its database is at migration {manifest.migration}, and this version knows {latest} "
            f"as the last; it was made by {manifest.software}.",
            remedy="Install that version of phems-node, or a later one, and restore with it.",
        )


def check_files(manifest: Manifest, found: Mapping[str, tuple[int, str]]) -> None:
    """IntegrityError unless what was found (by path, size and SHA-256) is what was backed up, all of it."""
    wanted = {file.path: (file.size, file.sha256) for file in manifest.files}
    for path in sorted({*wanted, *found}):
        if found.get(path) == wanted.get(path):
            continue
        missing, added = path not in found, path not in wanted
        raise IntegrityError(
            f"The backup is not what was backed up: {path}.",
            why="it is missing." if missing else "it was added." if added else "its bytes are others.",
            remedy="Nothing was restored. Take another copy of this backup, or an earlier one.",
        )


def placed(manifest: Manifest, area: str) -> list[tuple[str, BackedFile]]:
    """The files of an area, each with its path in it."""
    start = f"{area}/"
    return [(file.path.removeprefix(start), file) for file in manifest.files if file.path.startswith(start)]


def _stays_inside(path: Any) -> bool:
    if not isinstance(path, str) or "\0" in path:
        return False
    if path == SEALED_KEYS:
        return True
    parts = path.split("/")
    return len(parts) > 1 and parts[0] in AREAS and {"", ".", ".."}.isdisjoint(parts)


def _no_manifest(why: str) -> InputError:
    return InputError(
        f"{MANIFEST} is not the manifest of a backup.",
        why=f"{why}.",
        remedy="Name the folder that phems backup wrote.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBack:
    """That the log was set back behind what an outside anchor holds, on purpose, and says so itself."""

    anchor: str
    size: int
    """How many entries the anchor's checkpoint covers."""
    root: str
    """Its root, hex."""
    seq: int
    """The entry that says so."""
    at: str
    actor: str
    reason: str

    def __str__(self) -> str:
        return (
            f"it was restored behind the outside anchor {self.anchor}, which has a checkpoint of {self.size} "
            f"entries; entry {self.seq} says so: {self.reason} ({self.actor}, {self.at})"
        )


RESTORED = "node.restore"
"""The action of the entry with which a restored log goes on."""


def set_backs_of(entry: Entry) -> list[SetBack]:
    """What an entry says of anchors that it leaves behind: nothing, unless it is of a restore."""
    if entry.action != RESTORED:
        return []
    return [
        SetBack(
            anchor=str(each["anchor"]),
            size=int(each["size"]),
            root=str(each["root"]),
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            reason=str(entry.details["reason"]),
        )
        for each in entry.details.get("behind", ())
    ]
