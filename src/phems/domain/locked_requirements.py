"""What a project's environment is built from: requirements that name one version and its hashes.

The file is written by project code. pip and uv take options from such files (another index, a folder, code
to build); here a line that is not `name==version` with hashes is an error, and what a tool is given to
install is written anew from what was understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phems.domain.lock_files import LARGEST, normalised
from phems.errors import InputError

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*"
    r"(?:\[[A-Za-z0-9 ,._-]*\])?\s*"
    r"==\s*(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)\s*"
    r"(?:;(?P<marker>[A-Za-z0-9 ()'\"<>=!.,_+~-]+))?",
    re.ASCII,
)
_HASH = re.compile(r"\s--hash[= ](?P<kind>[a-z0-9]+):(?P<value>[0-9a-fA-F]+)(?=\s|$)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
LOCK_REMEDY = "Lock it anew: uv pip compile --generate-hashes pyproject.toml -o "


@dataclass(frozen=True, order=True)
class LockedRequirement:
    """One version of a package, and the SHA-256 of each file that may be it."""

    name: str
    """Normalised (PEP 503)."""
    version: str
    hashes: tuple[str, ...]
    marker: str = ""
    """The platforms that it is meant for (PEP 508); empty for all."""

    def line(self) -> str:
        """The requirement as pip and uv read it."""
        marker = f" ; {self.marker}" if self.marker else ""
        return " ".join(
            [f"{self.name}=={self.version}{marker}", *(f"--hash=sha256:{found}" for found in self.hashes)]
        )


def locked_requirements(content: bytes, *, file: str) -> tuple[LockedRequirement, ...]:
    """The requirements of a lock file; `InputError` for whatever is not one version with its hashes."""
    if len(content) > LARGEST:
        raise _refused(file, f"it has {len(content):,} bytes; the limit is {LARGEST:,}")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _refused(file, "it is not UTF-8") from error
    lines = re.sub(r"\\\r?\n", " ", text).splitlines()
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return tuple(sorted(_requirement(line, file) for line in stripped if line))


def _requirement(line: str, file: str) -> LockedRequirement:
    if line.startswith("-"):
        raise _refused(
            file,
            f"it holds the option {line.split(maxsplit=1)[0]!r}: the node says where packages come from",
        )
    found = _PIN.fullmatch(_HASH.sub("", line).strip())
    if found is None:
        raise _refused(file, f"{line[:80]!r} is not of the form name==version with hashes")
    hashes = [value for kind, value in _HASH.findall(line) if kind == "sha256" and _SHA256.fullmatch(value)]
    if not hashes:
        raise _refused(file, f"{found['name']} has no SHA-256")
    return LockedRequirement(
        normalised(found["name"]),
        found["version"],
        tuple(sorted({value.lower() for value in hashes})),
        (found["marker"] or "").strip(),
    )


def without_the_walls(
    requirements: Sequence[LockedRequirement], wall: Mapping[str, str], *, file: str
) -> tuple[LockedRequirement, ...]:
    """Those that the project brings itself. What the wall needs is the node's: the same version, or an error.

    `wall` has the versions of what the node brings, by normalised name.
    """
    for requirement in requirements:
        needed = wall.get(requirement.name, requirement.version)
        if requirement.version != needed:
            raise InputError(
                f"{file} pins {requirement.name}=={requirement.version}.",
                why=f"the node brings {requirement.name} {needed}, because its side of the wall talks to it.",
                remedy=f"Pin {requirement.name}=={needed} (all of them: phems project constraints), lock it "
                "anew, commit and submit.",
            )
    return tuple(requirement for requirement in requirements if requirement.name not in wall)


def _refused(file: str, why: str) -> InputError:
    return InputError(
        f"No environment can be built from {file} of the code revision.",
        why=f"{why}.",
        remedy=f"{LOCK_REMEDY}{file}; then commit and submit.",
    )
