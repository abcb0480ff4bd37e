"""The secrets that Code Repos' servers sign their webhooks with, read from where node.yaml says."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from phems.adapters.secret_places import private_secret_at
from phems.errors import InputError, PhemsError
from phems.nodespec import Code, NodeSpec

_LOG = logging.getLogger("phems.webhooks")
KEY = "code.webhook_secret"
SHORTEST = 20


def webhook_secret(code: Code, folder: Path, environ: Mapping[str, str]) -> bytes | None:
    """A project's secret; None when it takes no webhooks. One that could be guessed is an error."""
    found = private_secret_at(code.webhook_secret, folder, environ, key=KEY)
    if found is None:
        return None
    if len(found) < SHORTEST:
        raise InputError(
            f"The secret of {KEY} is too short.",
            why=f"it has fewer than {SHORTEST} characters; who sees one signed webhook could try them all.",
            remedy="Make one: openssl rand -hex 32",
        )
    return found.encode()


def webhook_secrets(spec: NodeSpec, folder: Path, environ: Mapping[str, str]) -> Mapping[str, bytes]:
    """The secret of each project that takes webhooks; one that cannot be used is told in the log."""
    secrets: dict[str, bytes] = {}
    for name, project in spec.projects.items():
        try:
            secret = webhook_secret(project.code, folder, environ)
        except PhemsError as error:
            _tell_once(name, f"{error.what} {error.why}")
            continue
        if secret is not None:
            secrets[name] = secret
    return secrets


@cache
def _tell_once(project: str, why: str) -> None:
    """Not again with each delivery: anybody may send those."""
    _LOG.warning("no webhook of %s is taken: %s", project, why)
