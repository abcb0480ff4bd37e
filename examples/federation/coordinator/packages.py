"""Fetching a node's packages, and what must hold before one is opened.

1. `phems release verify` holds, with the key that this node's operator handed over. See ADR 21.
2. It is this node's project, and the code that was agreed on: nothing else was run.
3. It was made from the model of this round, byte for byte. The node hashed it when it admitted the run, so an
   older round's package is known for what it is, whatever its file says.
4. There is one file in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from examples.federation.coordinator.federation import Federation, Node
from examples.federation.coordinator.models import version_of

from phems.errors import IntegrityError, PhemsError, RefusedError, UnavailableError

LOOK_AGAIN_SECONDS = 0.2
LARGEST = 1 << 20
UPDATE = "update.json"
_KINDS: Mapping[int, type[PhemsError]] = {
    RefusedError.exit_code: RefusedError,
    IntegrityError.exit_code: IntegrityError,
}


@dataclass(frozen=True)
class Outbox:
    """What a node has released or revoked since the last round, and from where to ask the next time."""

    released: tuple[str, ...]
    revoked: tuple[str, ...]
    cursor: str


def look(node: Node, cursor: str, *, deadline: float) -> Outbox:
    """Ask a node's outbox until something is new; `UnavailableError` when nothing is by then.

    `deadline` is a moment of `time.monotonic`.
    """
    trouble = "it has released nothing since the last round."
    while True:
        try:
            answer = _ask(node, "/api/releases", cursor=cursor)
        except httpx.HTTPError as error:
            trouble = f"{type(error).__name__}: {error}"
        else:
            last = {line["request"]: line["state"] for line in answer["items"]}
            released, revoked = (
                tuple(request for request, state in last.items() if state == wanted)
                for wanted in ("RELEASED", "REVOKED")
            )
            if released or revoked:
                return Outbox(released, revoked, answer["next_cursor"])
        if time.monotonic() >= deadline:
            raise UnavailableError(
                f"{node.name} has sent no update.",
                why=trouble,
                remedy="The round stays open: wait until its people have released one, and ask again.",
            )
        time.sleep(LOOK_AGAIN_SECONDS)


def fetch(node: Node, request: str, folder: Path) -> Path:
    """Fetch a package into `folder`; what came is not trusted yet."""
    folder.mkdir(parents=True, exist_ok=True)
    tar = folder / "package.tar"
    try:
        with (
            _client(node) as client,
            client.stream("GET", f"/api/releases/{request}/package") as answer,
            tar.open("wb") as file,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                file.write(chunk)
                if file.tell() > LARGEST:
                    raise _not_taken(node, request, f"it is larger than {LARGEST:,} bytes.")
        with tarfile.open(tar) as packed:
            packed.extractall(folder, filter="data")
    except (httpx.HTTPError, tarfile.TarError, OSError) as error:
        raise _not_taken(node, request, f"{type(error).__name__}: {error}") from error
    finally:
        tar.unlink(missing_ok=True)
    return folder / request


def opened(federation: Federation, node: Node, package: Path, number: int) -> bytes:
    """The update in a package, when all holds that must; see the top. `package` is named as its request."""
    verified = _verified(node, package)
    manifest = json.loads((package / "manifest.json").read_bytes())
    runs: list[Mapping[str, Any]] = manifest["runs"]
    if verified["request"] != package.name or verified["project"] != node.project or len(runs) != 1:
        raise _not_taken(node, package.name, f"it is {verified['request']} of {verified['project']}.")
    digest = runs[0]["code_revision"]["digest"]
    if digest != federation.code_digest:
        raise _not_taken(
            node, package.name, f"it ran the code {digest[:12]}, not {federation.code_digest[:12]}."
        )
    begun_from = runs[0]["data"].get("global-model")
    if begun_from != version_of(federation.folder, number):
        raise _not_taken(node, package.name, _other_model(federation, begun_from, number))
    if [file["path"] for file in manifest["files"]] != [f"files/{UPDATE}"]:
        raise _not_taken(node, package.name, f"it holds other files than {UPDATE}.")
    return (package / "files" / UPDATE).read_bytes()


def _verified(node: Node, package: Path) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "phems.cli", "--json", "release", "verify", str(package)]
    done = subprocess.run([*command, "--key", node.public_key], check=False, capture_output=True, text=True)
    if done.returncode:
        try:
            error = json.loads(done.stderr)["error"]
            why = f"{error['what']} {error.get('why') or ''}".strip()
        except (ValueError, KeyError):
            why = done.stderr.strip()
        raise _not_taken(node, package.name, why, kind=_KINDS.get(done.returncode, IntegrityError))
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def _other_model(federation: Federation, begun_from: str | None, number: int) -> str:
    for earlier in range(1, number):
        if begun_from == version_of(federation.folder, earlier):
            return f"it began from the model of round {earlier}, and this is round {number}."
    return f"it did not begin from the model of round {number}."


def _not_taken(node: Node, request: str, why: str, *, kind: type[PhemsError] = IntegrityError) -> PhemsError:
    return kind(
        f"The package {request} of {node.name} is not taken.",
        why=why,
        remedy=f"Tell the people of {node.name}; the round stays open.",
    )


def _ask(node: Node, path: str, *, cursor: str) -> Mapping[str, Any]:
    with _client(node) as client:
        answer = client.get(path, params={"cursor": cursor} if cursor else {})
        answer.raise_for_status()
        found: Mapping[str, Any] = answer.json()
        return found


def _client(node: Node) -> httpx.Client:
    # No proxy of the surroundings: the address is the node's own.
    return httpx.Client(
        base_url=node.url, headers={"Authorization": f"Bearer {node.token}"}, timeout=30, trust_env=False
    )
