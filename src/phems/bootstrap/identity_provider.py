"""The identity provider that people sign in at, wired to its address and the node's secret for it."""

from __future__ import annotations

import os

from phems.adapters.oidc.provider import OidcProvider
from phems.adapters.secret_places import secret_at
from phems.nodespec import NodePaths
from phems.nodespec.identity import Oidc


def identity_provider_of(oidc: Oidc, paths: NodePaths) -> OidcProvider:
    """The provider that node.yaml names; the secret is read when it is needed."""
    return OidcProvider(
        oidc,
        lambda: secret_at(oidc.client_secret, paths.folder, os.environ, key="identity.oidc.client_secret"),
    )
