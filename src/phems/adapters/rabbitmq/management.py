"""RabbitMQ's management API: vhosts, users, rights and the depth of queues, as its administrator.

Which requests are made and what their fields mean: https://www.rabbitmq.com/docs/http-api-reference (the same
from 3.8 to 4). A password is never asked back: the broker gives its salted hash, which is compared here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import httpx

from phems.errors import InputError, UnavailableError
from phems.services.ports.broker import BrokerLogin, BrokerUser

TIMEOUT_SECONDS = 15.0
ALL = ".*"
RIGHTS = ("configure", "write", "read")
_SALT_BYTES = 4
_NO_API = (
    "See that RabbitMQ runs with the plugin rabbitmq_management, and that broker.management in node.yaml is "
    "its address."
)
_HASHES: Mapping[str, Any] = {
    "rabbit_password_hashing_sha256": hashlib.sha256,
    "rabbit_password_hashing_sha512": hashlib.sha512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """One queue: messages that wait, messages that a worker has and has not acknowledged, and who listens."""

    name: str
    ready: int
    unacknowledged: int
    consumers: int


@dataclass(frozen=True, slots=True, repr=False)
class AdminLogin:
    """Where the management API is, and who asks it."""

    address: str
    user: str
    password: str


def parse_admin_url(url: str) -> AdminLogin:
    """An address as http://user:password@host:15672; InputError, which shows nothing of it, otherwise."""
    parts = urlsplit(url)
    try:
        fits = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or not parts.username or parts.password is None or parts.query or parts.fragment:
        raise InputError(
            "The address of the broker's administrator cannot be read.",
            why="it is http or https, a user, a password, a host and a port.",
            remedy="export PHEMS_BROKER_ADMIN=http://user:password@host:15672",
        )
    place = parts.netloc.rpartition("@")[2]
    address = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
    return AdminLogin(address, unquote(parts.username), unquote(parts.password))


class ManagementApi:
    """One broker's administration; see `services.ports.broker.BrokerAdmin`."""

    def __init__(self, login: AdminLogin, *, ca: Path | None = None) -> None:
        self._address = login.address
        self._client = httpx.Client(
            base_url=f"{login.address}/api/",
            auth=(login.user, login.password),
            timeout=TIMEOUT_SECONDS,
            verify=tls_context(ca) if login.address.startswith("https:") else False,
            # What stands between this machine and the hospital's proxy is not the broker's.
            trust_env=False,
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def version(self) -> str:
        """RabbitMQ's version."""
        return str(self._get("overview")["rabbitmq_version"])

    def has_vhost(self, vhost: str) -> bool:
        """See the port."""
        return self._find(f"vhosts/{_part(vhost)}") is not None

    def make_vhost(self, vhost: str) -> None:
        """See the port."""
        self._ask("PUT", f"vhosts/{_part(vhost)}", {"description": "Steps of one project of a PHEMS node"})

    def delete_vhost(self, vhost: str) -> None:
        """Remove a vhost with its queues; whether it was there."""
        self._ask("DELETE", f"vhosts/{_part(vhost)}")

    def user(self, login: BrokerLogin) -> BrokerUser | None:
        """See the port."""
        found = self._find(f"users/{_part(login.user)}")
        if found is None:
            return None
        rights = self._get(f"users/{_part(login.user)}/permissions")
        full = [row["vhost"] for row in rights if all(row[right] == ALL for right in RIGHTS)]
        tags = found.get("tags") or []
        return BrokerUser(
            has_password=password_matches(found, login.password),
            # A list since 3.9, one text before.
            tags=tuple(tags.split(",") if isinstance(tags, str) else tags),
            full_rights=tuple(full),
            other_rights=tuple(row["vhost"] for row in rights if row["vhost"] not in full),
        )

    def put_user(self, login: BrokerLogin) -> None:
        """See the port."""
        self._ask("PUT", f"users/{_part(login.user)}", {"password": login.password, "tags": ""})

    def delete_user(self, user: str) -> None:
        """Remove a user with their rights; their connections end."""
        self._ask("DELETE", f"users/{_part(user)}")

    def give_rights(self, login: BrokerLogin) -> None:
        """See the port."""
        self._ask("PUT", _permission(login.vhost, login.user), dict.fromkeys(RIGHTS, ALL))

    def take_rights(self, user: str, vhost: str) -> None:
        """See the port."""
        self._ask("DELETE", _permission(vhost, user))

    def depths(self, vhost: str) -> Sequence[QueueDepth]:
        """Every queue of a vhost, by name. RabbitMQ counts anew every few seconds."""
        return [
            QueueDepth(
                name=row["name"],
                # A queue that was made a moment ago has no count yet.
                ready=row.get("messages_ready", 0),
                unacknowledged=row.get("messages_unacknowledged", 0),
                consumers=row.get("consumers", 0),
            )
            for row in sorted(self._get(f"queues/{_part(vhost)}"), key=lambda row: str(row["name"]))
        ]

    def purge(self, vhost: str, queue: str) -> None:
        """Throw away the messages that wait in a queue."""
        self._ask("DELETE", f"queues/{_part(vhost)}/{_part(queue)}/contents")

    def _get(self, path: str) -> Any:
        return self._ask("GET", path).json()

    def _find(self, path: str) -> Any:
        answer = self._ask("GET", path, missing_ok=True)
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.json()

    def _ask(
        self, method: str, path: str, body: Mapping[str, str] | None = None, *, missing_ok: bool = False
    ) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unavailable(self._address, f"{error or type(error).__name__}.", _NO_API) from error
        gone = answer.status_code == httpx.codes.NOT_FOUND and (missing_ok or method == "DELETE")
        if answer.is_success or gone:
            return answer
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise _unavailable(
                self._address,
                "it does not take this user and password, or the user is no administrator.",
                "Name a user with the tag administrator: export PHEMS_BROKER_ADMIN=http://user:password@host:15672",
            )
        raise _unavailable(
            self._address,
            f"it answers {answer.status_code} to {method} {path}: {answer.text[:200]}",
            "See RabbitMQ's log.",
        )


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """Who may vouch for the broker: those in the file, or else those that this machine trusts."""
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise UnavailableError(
            f"The certificates in {ca} cannot be read.",
            why=getattr(error, "strerror", None) or str(error),
            remedy="broker.ca in node.yaml names a file of certificates, PEM, that the node's user can read.",
        ) from error


def look_for_api(address: str, *, ca: Path | None = None) -> None:
    """UnavailableError unless a management API answers there, and asks for a login."""
    verify = tls_context(ca) if address.startswith("https:") else False
    try:
        answer = httpx.get(f"{address}/api/overview", timeout=TIMEOUT_SECONDS, verify=verify, trust_env=False)
        found = answer.status_code == httpx.codes.UNAUTHORIZED
        why = f"it answers {answer.status_code}, and not with the question who asks."
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        found, why = False, f"{error or type(error).__name__}."
    if not found:
        raise _unavailable(address, why, _NO_API)


def password_matches(user: Mapping[str, Any], password: str) -> bool:
    """Whether a user, as the API shows them, has this password."""
    hashed = _HASHES.get(str(user.get("hashing_algorithm")))
    if hashed is None:
        return False
    stored = base64.b64decode(str(user.get("password_hash", "")))
    salt, digest = stored[:_SALT_BYTES], stored[_SALT_BYTES:]
    return hmac.compare_digest(hashed(salt + password.encode()).digest(), digest)


def _unavailable(address: str, why: str, remedy: str) -> UnavailableError:
    return UnavailableError(f"RabbitMQ's management API at {address} cannot be used.", why=why, remedy=remedy)


def _permission(vhost: str, user: str) -> str:
    return f"permissions/{_part(vhost)}/{_part(user)}"


def _part(name: str) -> str:
    return quote(name, safe="")
