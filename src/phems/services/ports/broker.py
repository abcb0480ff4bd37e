"""The broker's administration as the use cases see it, and where projects' logins are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


# Not shown by repr: a traceback or a log line must not hold the password.
@dataclass(frozen=True, slots=True, repr=False)
class BrokerLogin:
    """How a project's steps reach the broker."""

    vhost: str
    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUser:
    """A user as the broker has them."""

    has_password: bool
    """Whether the password is the one that was asked about."""
    tags: Sequence[str]
    full_rights: Sequence[str]
    """The vhosts where they may do everything."""
    other_rights: Sequence[str]
    """The vhosts where they may do something."""


class BrokerAdmin(Protocol):
    """A broker's administrator. Every method raises UnavailableError when the broker cannot be asked."""

    def has_vhost(self, vhost: str) -> bool: ...
    def make_vhost(self, vhost: str) -> None: ...
    def user(self, login: BrokerLogin) -> BrokerUser | None:
        """The user of a login, None when there is none."""
        ...

    def put_user(self, login: BrokerLogin) -> None:
        """Make the user, or give them this password. They have no tag: no way to the administration."""
        ...

    def give_rights(self, login: BrokerLogin) -> None:
        """Every right in the login's own vhost."""
        ...

    def take_rights(self, user: str, vhost: str) -> None:
        """No right in a vhost."""
        ...


class BrokerLoginStore(Protocol):
    """The logins of projects, outside of the database and for the node alone."""

    def find(self, project: str) -> BrokerLogin | None:
        """None when there is none, or what is there is of no use."""
        ...

    def save(self, project: str, login: BrokerLogin) -> None: ...
