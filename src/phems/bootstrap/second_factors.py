"""What opens the secrets of second factors, wired to the node's key for them."""

from __future__ import annotations

from functools import cache

from phems.adapters.sealed_totp import SealedTotp
from phems.adapters.secret_keys import load_or_create_secret
from phems.nodespec import NodePaths, NodeSpec

KEY_FILE = "second-factor.key"


def factor_secrets_of(spec: NodeSpec, paths: NodePaths) -> SealedTotp:
    """The secrets of a node's people; the key is made when it is first needed."""

    @cache
    def key() -> bytes:
        return load_or_create_secret(paths.keys / KEY_FILE)

    return SealedTotp(key, spec.node.title or spec.node.name)
