"""A Postgres that is not the node's: on a TCP port of this machine, and behind TLS on another."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool
from tests.certificates import CertificateAuthority
from tests.tls_front import TlsFront

from phems.adapters.postgres.embedded import ADMIN, EmbeddedPostgres

PASSWORD = "a-password-of-the-tests"


class ExternalPostgres:
    """A server for the time of a `with` block. `folder` is short, and others may pass through it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755, exist_ok=True)
        self.authority = CertificateAuthority(folder)
        # Not for 127.0.0.1: who asks for the address is answered by a certificate for another name.
        self._issued = self.authority.issue("postgres", for_names=("localhost",))
        self.plain_port = _free_port()
        self.tls: TlsFront
        self._server = EmbeddedPostgres(
            data=folder / "data",
            runtime_dir=folder / "run",
            admin_password=PASSWORD,
            settings={"listen_addresses": "127.0.0.1", "port": str(self.plain_port)},
        )

    @property
    def port(self) -> int:
        """Where it takes connections with TLS, and without."""
        return self.tls.port

    def admin(self, database: str = "postgres") -> str:
        """The address of its administrator."""
        address = URL.create("postgresql", ADMIN, PASSWORD, "localhost", self.port, database)
        return address.render_as_string(hide_password=False)

    def address(self, database: str, host: str = "localhost") -> str:
        """The address of a database, without a user."""
        return f"postgresql://{host}:{self.port}/{database}"

    def engine(self, database: str = "postgres") -> Engine:
        """Its administrator's engine, each statement its own transaction."""
        return create_engine(self.admin(database), poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def __enter__(self) -> Self:
        self._server.start()
        self.tls = TlsFront(self.plain_port, self._issued, self.authority.certificate)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tls.__exit__(None, None, None)
        self._server.stop()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
