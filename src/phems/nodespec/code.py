"""A project's code in the node spec: the Code Repo, and how the node reads one on another machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from phems.nodespec.base import Section
from phems.nodespec.names import (
    Branch,
    FolderInRepo,
    Module,
    PathText,
    Person,
    RepoAddress,
    SecretPlace,
    is_elsewhere,
    refuse,
)

_FILE = "file:"
_OF_HTTPS = ("token", "certificate_authority")
_OF_SSH = ("ssh_key", "known_hosts")


class Remote(Section):
    """What the node shows of itself to a Code Repo on another machine, and what it asks of it."""

    username: Person = Field(
        default="git",
        description="The name that goes with the token, such as oauth2 or x-access-token.",
    )
    token: SecretPlace | None = Field(
        default=None,
        description="env:NAME or file:PATH (relative to node.yaml) of a token that may read the repo, for an "
        "https address; unset: it is read without one.",
    )
    certificate_authority: PathText | None = Field(
        default=None,
        description="The certificates, PEM, of whoever issued the server's; unset: those that this machine "
        "trusts.",
    )
    ssh_key: PathText | None = Field(
        default=None, description="The private key (chmod 600, no pass phrase) for an ssh address."
    )
    known_hosts: PathText | None = Field(
        default=None,
        description="The file with the server's own key, in the form of ssh's known_hosts. Another key is "
        "refused, and none is learnt.",
    )


class Code(Section):
    """Where a project's code comes from."""

    repo: RepoAddress = Field(
        description="The Code Repo: a folder (relative to node.yaml) or an address for git."
    )
    branch: Branch = Field(
        default="main", description="Only commits reachable from this branch can be submitted."
    )
    root: FolderInRepo = Field(default="src", description="The folder in the repo that Python imports from.")
    module: Module = Field(
        default="",
        description="The module with the Dagster definitions; unset: the project's name with "
        "underscores, then .definitions.",
    )
    remote: Remote = Field(default=Remote(), description="How it is read, when it is on another machine.")
    webhook_secret: SecretPlace | None = Field(
        default=None,
        description="env:NAME or file:PATH (relative to node.yaml, chmod 600) of the secret that the Code "
        "Repo's server signs its webhooks with; unset: none is taken.",
    )

    @property
    def files(self) -> tuple[str, ...]:
        """The files beside node.yaml that it names, as it names them: secrets, certificates, keys."""
        remote = self.remote
        places = [place for place in (remote.token, self.webhook_secret) if place is not None]
        secrets = [place.removeprefix(_FILE) for place in places if place.startswith(_FILE)]
        named = (remote.certificate_authority, remote.ssh_key, remote.known_hosts)
        return (*secrets, *(path for path in named if path is not None))

    @model_validator(mode="after")
    def _remote_fits(self) -> Self:
        is_https = self.repo.startswith("https://")
        wrong = [] if is_https else [name for name in _OF_HTTPS if getattr(self.remote, name) is not None]
        if is_https or not is_elsewhere(self.repo):
            wrong += [name for name in _OF_SSH if getattr(self.remote, name) is not None]
        if wrong:
            raise refuse(
                f"remote has {wrong[0]}",
                why="token and certificate_authority are for https, ssh_key and known_hosts for ssh",
                remedy="take it out, or correct the address",
            )
        missing = [name for name in _OF_SSH if getattr(self.remote, name) is None]
        if is_elsewhere(self.repo) and not is_https and missing:
            raise refuse(
                f"remote has no {missing[0]}",
                why="the node goes to an ssh address with a key of its own, and to a server that it knows",
                remedy="write remote: {ssh_key: ..., known_hosts: ...}, or an https address",
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRepo:
    """A branch of a Code Repo on another machine, and how it is read. Paths are absolute."""

    address: str
    branch: str
    folder: Path
    """What `file:` of the token is relative to."""
    remote: Remote = field(default_factory=Remote)

    def __str__(self) -> str:
        return self.address
