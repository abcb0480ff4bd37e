"""A node's gateway over a real database, reached by HTTP, whose people sign in at a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from phems.adapters.postgres.database import Database
from phems.bootstrap import Node
from phems.domain.permissions import Role
from phems.gateway.app import assemble
from phems.gateway.callers import current_caller
from phems.gateway.server import GatewayServer
from phems.gateway.settings import settings_of
from phems.nodespec import load_node, node_paths

PROJECT, OTHER = "heart-attack", "breast-cancer"
SPEC = """\
    version: 1
    node: {{name: st-mary}}
    controller: {{name: St Mary's Hospital}}
    roles: {{operator: [lola]}}
    identity:
      {local}
      oidc:
        issuer: {issuer}
        client_id: phems
        client_secret: file:client.secret
        title: St Mary's
        scopes: [openid, profile, email]
      groups:
        operators: {{roles: [operator]}}
        research: {{projects: {{heart-attack: [data_analyst]}}}}
        checkers: {{projects: {{heart-attack: [output_checker], breast-cancer: [output_checker]}}}}
    projects:
      heart-attack:
        code: {{repo: code/heart-attack}}
        members: {{output_checker: [oda, ivo], information_asset_owner: [iris]}}
      breast-cancer:
        code: {{repo: code/breast-cancer}}
        members: {{output_checker: [oda, ivo], information_asset_owner: [iris]}}
"""


@dataclass
class IdentitySite:
    """The gateway, and the node behind it."""

    node: Node
    server: GatewayServer

    @property
    def origin(self) -> str:
        """Where it listens."""
        return self.server.url

    def rewrite(self, change: Callable[[str], str]) -> None:
        """What an operator does: change node.yaml, which is in force at once (no policy versions here)."""
        path = self.node.paths.spec
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        self.node.spec = load_node(self.node.paths.folder)

    def entries(self) -> list[Any]:
        """The audit log."""
        with self.node.governance.transaction() as work:
            return list(work.audit.entries())


@contextmanager
def identity_site(
    folder: Path, database: Database, issuer: str, secret: str, port: int, local: str = ""
) -> Iterator[IdentitySite]:
    """A gateway that listens, until the end of the block."""
    text = dedent(SPEC).format(issuer=issuer, local=local)
    folder.joinpath("node.yaml").write_text(text, encoding="utf-8")
    folder.joinpath("client.secret").write_text(secret + "\n", encoding="utf-8")
    spec = load_node(folder)
    paths = node_paths(spec, folder)
    paths.data_dir.mkdir(parents=True, exist_ok=True)
    node = Node(spec, paths, database)
    node.audit.open()
    settings = settings_of(spec, lambda: node.spec, node.roles_in)
    # What stands in Dagster's place says which roles its own membership gives the caller.
    inner = Starlette(routes=[Route("/dagster", lambda request: _roles(request, settings.membership))])
    server = GatewayServer(assemble(inner, node.users, settings=settings, cases=node), "127.0.0.1", port)
    server.start()
    try:
        yield IdentitySite(node, server)
    finally:
        server.stop()


def _roles(_request: Request, membership: Any) -> JSONResponse:
    caller = current_caller.get()
    assert caller is not None
    roles: frozenset[Role] = membership.roles(caller.name, PROJECT)
    return JSONResponse({"name": caller.name, "roles": sorted(roles)})
