"""Verifying a release package with nothing but the node's public key: no node, no network, no database.

The steps, each of which must hold before the next is looked at:
1. There is an attestation.
2. It was sealed with the key (DSSE), and nothing in it was changed since.
3. It is an in-toto statement about a release.
4. Every file that it names is there.
5. Nothing else is there.
6. Every file has the SHA-256 that it names.
7. The manifest is that of the same request, and lists the same files.
8. There is no notice of a revocation; if there is one, it was sealed with the key for this package.
What does not hold raises `IntegrityError` with the number of its step, and names the first file that is
wrong. A package that was revoked is genuine, but must not be used: `RefusedError`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from phems.domain.canonical import parse, sha256
from phems.domain.provenance import RELEASE, REVOCATION, Statement, read_statement
from phems.domain.release_packages import (
    ATTESTATION,
    FILES_FOLDER,
    MANIFEST,
    NOTICE,
    NOTICE_ATTESTATION,
)
from phems.errors import InputError, IntegrityError, RefusedError

Opener = Callable[[bytes, str], bytes]
"""Opens an envelope with a public key: the payload, or `IntegrityError`."""

_AGAIN = "Fetch the package again from the node that released it; if it stays so, tell the node's operator."
_MAY_JOIN = frozenset({ATTESTATION, NOTICE, NOTICE_ATTESTATION})


class PackageFolder(Protocol):
    """A package as it lies in a folder. Nothing in it is trusted; no symbolic link is followed."""

    def paths(self) -> Iterable[str]:
        """Everything in it but plain folders, sorted; empty folders too."""
        ...

    def chunks(self, path: str) -> Iterator[bytes]:
        """The bytes of a file; `InputError` for what is none."""
        ...


@dataclass(frozen=True)
class VerifiedPackage:
    """What a package that verifies says of itself. `steps` are those that held."""

    request: str
    project: str
    node: str
    controller: str
    released_at: str
    files: Mapping[str, str]
    policy_version: str
    key_id: str
    steps: tuple[str, ...]


STEPS = (
    "there is an attestation",
    "it was sealed with this key",
    "it is an in-toto statement about a release",
    "every file that it names is there",
    "nothing else is there",
    "every file has the SHA-256 that was signed",
    "the manifest is that of the same release",
    "the release was not revoked",
)


def verify_package(folder: PackageFolder, public_key: str, *, key_id: str, opened: Opener) -> VerifiedPackage:
    """Verify a package, in the numbered steps of the module's docstring."""
    found = list(folder.paths())
    with _step(1):
        if ATTESTATION not in found:
            raise _wrong(
                f"{ATTESTATION} is missing", "what has none was not released by a node, or is cut off"
            )
        attestation = b"".join(folder.chunks(ATTESTATION))  # 1
    with _step(2):
        payload = opened(attestation, public_key)  # 2
    with _step(3):
        statement = read_statement(payload, RELEASE)  # 3
    with _step(4):
        missing = sorted(statement.subjects.keys() - set(found))
        if missing:
            raise _wrong(f"the file {missing[0]!r} is missing", "the node released it")  # 4
    with _step(5):
        extra = [path for path in found if path not in statement.subjects and path not in _MAY_JOIN]
        if extra:
            raise _wrong(f"{extra[0]!r} is not part of the package", "the node did not release it")  # 5
    with _step(6):
        _check_digests(folder, statement)  # 6
    with _step(7):
        _check_manifest(b"".join(folder.chunks(MANIFEST)), statement)  # 7
    said = statement.predicate
    revoked = None
    if {NOTICE, NOTICE_ATTESTATION} & set(found):
        with _step(8):
            revoked = _revocation(folder, found, attestation, lambda sealed: opened(sealed, public_key))  # 8
    if revoked is not None:
        raise RefusedError(
            f"The package {said['request']} was revoked and must not be used.",
            why=f"{revoked['revoked_by']} revoked it at {revoked['revoked_at']}: {revoked['reason']}",
            remedy="Delete it and whatever was made from it, and ask the Data Controller for the reason.",
        )
    return VerifiedPackage(
        request=str(said["request"]),
        project=str(said["project"]),
        node=str(said["node"]),
        controller=str(said["controller"]),
        released_at=str(said["released_at"]),
        files={path: digest for path, digest in statement.subjects.items() if _is_released(path)},
        policy_version=str(said["policy"]["version"]),
        key_id=key_id,
        steps=STEPS,
    )


def _check_digests(folder: PackageFolder, statement: Statement) -> None:
    for path, signed in sorted(statement.subjects.items()):
        hasher = hashlib.sha256()
        for chunk in folder.chunks(path):
            hasher.update(chunk)
        if hasher.hexdigest() != signed:
            raise _wrong(
                f"the file {path!r} was changed", f"its SHA-256 is {hasher.hexdigest()}; signed was {signed}"
            )


def _check_manifest(manifest: bytes, statement: Statement) -> None:
    listed = parse(manifest)
    files = {file["path"]: file["sha256"] for file in listed["files"]}
    signed = {path: digest for path, digest in statement.subjects.items() if _is_released(path)}
    if listed["request"] != statement.predicate["request"] or files != signed:
        raise _wrong(f"{MANIFEST} is that of another release", "it lists other files than were signed")


def _revocation(
    folder: PackageFolder, found: list[str], attestation: bytes, opened: Callable[[bytes], bytes]
) -> Mapping[str, Any]:
    """What a notice says; its signature decides, and the readable notice must be the one that was signed."""
    if NOTICE_ATTESTATION not in found:
        raise _wrong(f"{NOTICE} is not signed", "anybody can have put it there")
    statement = read_statement(opened(b"".join(folder.chunks(NOTICE_ATTESTATION))), REVOCATION)
    if statement.subjects.get(ATTESTATION) != sha256(attestation):
        raise _wrong(f"{NOTICE_ATTESTATION} is about another package", "its signature covers another one")
    if NOTICE in found and statement.subjects.get(NOTICE) != sha256(b"".join(folder.chunks(NOTICE))):
        raise _wrong(f"{NOTICE} was changed", "its SHA-256 is not the one that was signed")
    return statement.predicate


def _is_released(path: str) -> bool:
    return path.startswith(f"{FILES_FOLDER}/")


@contextmanager
def _step(number: int) -> Iterator[None]:
    """Say which step failed; what cannot be read fails its step as well."""
    try:
        yield
    except (IntegrityError, InputError, KeyError, TypeError, ValueError) as error:
        what = error.what.rstrip(".") if isinstance(error, IntegrityError | InputError) else repr(error)
        why = error.why.rstrip(".") if isinstance(error, IntegrityError | InputError) else "it cannot be read"
        raise IntegrityError(
            f"The package does not verify: step {number} of {len(STEPS)}, {STEPS[number - 1]}.",
            why=f"{what}: {why}." if why else f"{what}.",
            remedy=_AGAIN,
        ) from error


def _wrong(what: str, why: str) -> IntegrityError:
    return IntegrityError(what, why=why)
