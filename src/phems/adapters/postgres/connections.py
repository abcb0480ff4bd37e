"""How connections to the node's Postgres are made: TLS, what ends a statement, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from sqlalchemy import URL

from phems.nodespec.database import Database as DatabaseSection
from phems.nodespec.paths import NodePaths

Role = Literal["admin", "owner", "dagster", "governance"]

RUNTIME_ROLES: frozenset[Role] = frozenset({"dagster", "governance"})
"""The roles of a running node. A migration may take as long as it takes."""

_LIVENESS = {
    "connect_timeout": "10",
    # A peer that vanished without a word is noticed in about 20 s: else a writer waits for it for ever.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "20000",
}


class PoolSize(TypedDict):
    """SQLAlchemy's words for how many connections a pool keeps, and makes beside them."""

    pool_size: int
    max_overflow: int


@dataclass(frozen=True)
class ConnectionSettings:
    """What node.yaml says of connections; `tls` in libpq's words."""

    tls: Mapping[str, str] = field(default_factory=dict)
    statement_timeout: int = 60
    engine: int = 40
    governance: int = 20

    def applied(self, address: URL, role: Role) -> URL:
        """An address with everything that libpq is to be told for a role."""
        words = {**_LIVENESS, **self.tls}
        if role in RUNTIME_ROLES:
            given = address.query.get("options", "")
            timeout = f"--statement_timeout={self.statement_timeout}s"
            words["options"] = f"{given} {timeout}".strip()
        return address.update_query_dict(words)


def settings_of(section: DatabaseSection, paths: NodePaths) -> ConnectionSettings:
    """The settings of a node."""
    return ConnectionSettings(
        tls=section.tls.libpq(paths.resolve) if section.tls is not None else {},
        statement_timeout=section.statement_timeout,
        engine=section.connections.engine,
        governance=section.connections.governance,
    )


def pool_of(most: int) -> PoolSize:
    """A pool of at most so many connections; a quarter of them is kept when nobody uses them."""
    kept = most // 4
    return {"pool_size": kept, "max_overflow": most - kept}
