"""The logins of projects at the broker: one vhost and one user a project, its password in the keys folder.

A project's user has rights in its own vhost and nowhere else, so that whoever gets hold of one login reaches
one project's queue. `phems broker init` makes them (`phems.services.broker_logins`).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from phems.adapters.durable_files import replace
from phems.errors import UnavailableError
from phems.nodespec import Broker
from phems.services.ports.broker import BrokerLogin

__all__ = [
    "BrokerLogin",
    "FolderBrokerLogins",
    "amqp_url",
    "load_login",
    "login_file",
    "save_login",
]

FOLDER = "broker"
REMEDY = "phems broker init"


def login_file(keys: Path, project: str) -> Path:
    """Where a project's login lies."""
    return keys / FOLDER / f"{project}.json"


def load_login(keys: Path, project: str) -> BrokerLogin:
    """The login of a project; UnavailableError when there is none, or it cannot be read."""
    file = login_file(keys, project)
    try:
        return BrokerLogin(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UnavailableError(
            f"The project {project} has no login at the broker.",
            why=f"{file} does not exist.",
            remedy=REMEDY,
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise UnavailableError(
            f"The login of project {project} at the broker cannot be read from {file}.",
            why=getattr(error, "strerror", None) or "it is not what phems broker init writes.",
            remedy=f"Run as the user that runs the node; or make a new one: {REMEDY} --rotate {project}",
        ) from error


def save_login(keys: Path, project: str, login: BrokerLogin) -> None:
    """Keep the login of a project, for the node's user alone."""
    file = login_file(keys, project)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"{file} cannot be written.",
            why=error.strerror or str(error),
            remedy=f"See what is there, and whose: ls -ld {file.parent}",
        ) from error
    replace(file, json.dumps(asdict(login)).encode())


def amqp_url(broker: Broker, login: BrokerLogin) -> str:
    """The address of a project's vhost with its login in it. Keep it secret."""
    scheme, _, place = broker.url.partition("://")
    user, password, vhost = (quote(part, safe="") for part in (login.user, login.password, login.vhost))
    return f"{scheme}://{user}:{password}@{place}/{vhost}"


class FolderBrokerLogins:
    """The logins in a keys folder; see `services.ports.broker.BrokerLoginStore`."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys

    def find(self, project: str) -> BrokerLogin | None:
        """See the port."""
        try:
            return load_login(self._keys, project)
        except UnavailableError as error:
            # One that this user may not read is not replaced: the node would go on with the old one.
            if isinstance(error.__cause__, PermissionError):
                raise
            return None

    def save(self, project: str, login: BrokerLogin) -> None:
        """See the port."""
        save_login(self._keys, project, login)
