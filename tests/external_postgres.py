"""A Postgres that is not the node's: on a TCP port of this machine, with TLS by a CA of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool
from tests.certificates import CertificateAuthority

from phems.adapters.postgres.account import account_for
from phems.adapters.postgres.embedded import ADMIN, EmbeddedPostgres

PASSWORD = "a-password-of-the-tests"
# A server of the tests that wants a certificate of the role `certified`, besides its password.
HBA = """
local   all all                     scram-sha-256
hostssl all certified 127.0.0.1/32  scram-sha-256 clientcert=verify-ca
host    all all       127.0.0.1/32  scram-sha-256
"""


class ExternalPostgres:
    """A server for the time of a `with` block. `folder` is short, and others may pass through it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755, exist_ok=True)
        self.authority = CertificateAuthority(folder)
        # Not for 127.0.0.1: who asks for the address is answered by a certificate for another name.
        issued = self.authority.issue("postgres", for_names=("localhost",))
        hba = folder / "pg_hba.conf"
        hba.write_text(HBA)
        if os.geteuid() == 0:
            account = account_for(folder / "data", must_reach=[])
            for own in (issued.key, hba):
                os.chown(own, account.uid, account.gid)
        self.port = _free_port()
        self.server = EmbeddedPostgres(
            data=folder / "data",
            runtime_dir=folder / "run",
            admin_password=PASSWORD,
            settings={
                "listen_addresses": "127.0.0.1",
                "port": str(self.port),
                "ssl": "on",
                "ssl_cert_file": str(issued.certificate),
                "ssl_key_file": str(issued.key),
                "ssl_ca_file": str(self.authority.certificate),
                "hba_file": str(hba),
            },
        )

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
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
