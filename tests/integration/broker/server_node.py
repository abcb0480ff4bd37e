"""A node of profile server: on the tests' Postgres and RabbitMQ, its database set up, and not running."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.bad_input.typed_commands import free_port
from tests.rabbitmq import RabbitMq

from phems.adapters.postgres.database import CREDENTIALS_FILE, Database
from phems.adapters.rabbitmq.management import ManagementApi, parse_admin_url
from phems.bootstrap import Node, open_node
from phems.bootstrap.broker import broker_logins_of
from phems.domain.actors import LOCAL_OPERATOR
from phems.nodespec import NodePaths, load_node, node_paths
from phems.services.broker_logins import LoginReport

ADDRESS = "PHEMS_DATABASE_URL"
PROJECTS = ("breast-cancer", "heart-attack")


@dataclass
class ServerNode:
    """Where it lies, and what it stands on."""

    folder: Path
    database: Database
    rabbitmq: RabbitMq
    name: str
    spec: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec = {
            "version": 1,
            "node": {"name": self.name},
            "controller": {"name": "St Mary's Hospital"},
            "profile": "server",
            "gateway": {"port": free_port()},
            "database": {"url": f"env:{ADDRESS}"},
            "broker": {"url": self.rabbitmq.url, "management": self.rabbitmq.management},
        }
        self.write()
        self.paths.keys.mkdir(mode=0o700, parents=True)
        self.paths.data_dir.chmod(0o700)
        file = self.paths.keys / CREDENTIALS_FILE
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self.database.credentials)))

    @property
    def paths(self) -> NodePaths:
        """Where it keeps its things."""
        return node_paths(load_node(self.folder), self.folder)

    @property
    def environment(self) -> Mapping[str, str]:
        """What node.yaml reads from the environment."""
        return {ADDRESS: self.database.url("admin")}

    def write(self, **changes: Any) -> None:
        """Write node.yaml, with changes to stay."""
        self.spec |= changes
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "node.yaml").write_text(json.dumps(self.spec, indent=2))

    def add_project(self, name: str, repo: Path | str = "code") -> None:
        """One more project."""
        members = {
            "data_analyst": ["ana"],
            "output_checker": ["carol", "dmitri"],
            "information_asset_owner": ["wei"],
        }
        code = {"repo": f"{repo}/{name}", "module": "small.definitions"}
        projects = {**self.spec.get("projects", {}), name: {"code": code, "members": members}}
        self.write(projects=projects)

    def init(self, *, rotate: str | None = None) -> list[LoginReport]:
        """What `phems broker init` does."""
        with (
            self.opened() as node,
            broker_logins_of(node, parse_admin_url(self.rabbitmq.admin_url)) as logins,
        ):
            return list(logins.bring_about(LOCAL_OPERATOR, sorted(node.declared.projects), rotate=rotate))

    @contextmanager
    def opened(self) -> Iterator[Node]:
        """The node, attached to its database."""
        with open_node(self.folder) as node:
            yield node

    def audit_entries(self, action: str) -> list[Any]:
        """The entries of the audit log with this action."""
        with self.opened() as node:
            return [entry for entry in node.audit.tail(LOCAL_OPERATOR, 1000) if entry.action == action]

    def admin(self) -> ManagementApi:
        """The broker's administrator."""
        return ManagementApi(parse_admin_url(self.rabbitmq.admin_url))
