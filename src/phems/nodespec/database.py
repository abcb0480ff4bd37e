"""The database in the node spec: whose Postgres, how it is reached, and how much of it the node takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from phems.nodespec.base import Section
from phems.nodespec.names import PathText, StrictInt, refuse
from phems.nodespec.variables import value_of

TlsMode = Literal["disable", "require", "verify-ca", "verify-full"]


class DatabaseTls(Section):
    """TLS to an external Postgres, as libpq has it."""

    mode: TlsMode = Field(
        default="verify-full",
        description="disable: none. require: encrypted, to whoever answers. verify-ca: to who has a "
        "certificate of the CA. verify-full: and for the name that is asked for.",
    )
    ca: PathText | None = Field(
        default=None,
        description="The CA's certificates, PEM, relative to node.yaml; unset: those of the machine.",
    )
    certificate: PathText | None = Field(
        default=None, description="The node's own certificate, PEM, when the server asks for one."
    )
    key: PathText | None = Field(
        default=None, description="Its private key, PEM: for the node's user alone (chmod 600)."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise refuse(
                "names one of certificate and key",
                why="neither is of use without the other",
                remedy="write both, or none",
            )
        if self.mode == "disable" and (self.ca or self.certificate):
            raise refuse(
                "names files, and is disabled",
                why="without TLS nothing reads them",
                remedy="write mode: verify-full, or take the files out",
            )
        if self.mode == "verify-ca" and self.ca is None:
            raise refuse(
                "verifies a CA, and names none",
                why="any certificate that a public CA ever issued, for any name, would do",
                remedy="write ca, or mode: verify-full",
            )
        return self

    def libpq(self, resolve: Callable[[str], object]) -> dict[str, str]:
        """libpq's parameters; `resolve` makes a path absolute."""
        named = {"sslrootcert": self.ca, "sslcert": self.certificate, "sslkey": self.key}
        files = {name: str(resolve(path)) for name, path in named.items() if path is not None}
        if self.mode == "verify-full":
            files.setdefault("sslrootcert", "system")
        return {"sslmode": self.mode, **files}


class DatabaseConnections(Section):
    """How many connections a process of the node holds at most; a quarter of them is kept open."""

    engine: StrictInt = Field(default=40, ge=4, le=1000, description="For runs, events and schedules.")
    governance: StrictInt = Field(default=20, ge=4, le=1000, description="For decisions and the audit log.")


class Database(Section):
    """Where metadata lives."""

    url: str | None = Field(
        default=None,
        min_length=1,
        description="An external Postgres (postgresql://host/database, set up by phems db init), or env:NAME "
        "to read its address from an environment variable; unset: a Postgres of the node's own in data_dir. "
        "An address with a user is an administrator's: the node then sets itself up.",
    )
    tls: DatabaseTls | None = Field(
        default=None, description="TLS to an external Postgres; unset: if the server offers it, unverified."
    )
    statement_timeout: StrictInt = Field(
        default=60,
        ge=1,
        le=3600,
        description="Seconds after which Postgres ends a statement of the running node.",
    )
    connections: DatabaseConnections = Field(
        default=DatabaseConnections(), description="How many connections the node takes."
    )

    @model_validator(mode="after")
    def _tls_is_to_somewhere(self) -> Self:
        if self.tls is not None and self.url is None:
            raise refuse(
                "has tls, and no url",
                why="the node's own Postgres is on a Unix socket, where nothing is to be encrypted",
                remedy="write url, or take tls out",
            )
        return self

    def address(self, environ: Mapping[str, str]) -> str | None:
        """The address of the external Postgres, `None` for the embedded one."""
        return value_of(self.url, environ, key="database.url", example="postgresql://host/database")
