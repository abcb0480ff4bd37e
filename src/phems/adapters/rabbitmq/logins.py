"""The logins of projects at the broker: one vhost and one user a project, its password in the keys folder.

A project's user has rights in its own vhost and nowhere else, so that whoever gets hold of one login reaches
one project's queue. `phems broker init` makes them (`phems.adapters.rabbitmq.provision`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from phems.adapters.durable_files import replace
from phems.errors import UnavailableError
from phems.nodespec import Broker

FOLDER = "broker"
REMEDY = "phems broker init"


# Not shown by repr: a traceback or a log line must not hold the password.
@dataclass(frozen=True, slots=True, repr=False)
class BrokerLogin:
    """How a project's steps reach the broker."""

    vhost: str
    user: str
    password: str


def vhost_of(node: str, project: str) -> str:
    """The vhost of a project, which its user is called by, too."""
    return f"phems.{node}.{project}"


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
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace(file, json.dumps(asdict(login)).encode())


def amqp_url(broker: Broker, login: BrokerLogin) -> str:
    """The address of a project's vhost with its login in it. Keep it secret."""
    scheme, _, place = broker.url.partition("://")
    user, password, vhost = (quote(part, safe="") for part in (login.user, login.password, login.vhost))
    return f"{scheme}://{user}:{password}@{place}/{vhost}"
