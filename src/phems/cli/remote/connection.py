"""HTTP to one node, over a connection that is kept: answers, or an error that says what is wrong on the way.

Plain `http.client`, so that commands start fast. No proxy is asked and no redirect followed, since the token
must go to the node alone. Certificates are checked; SSL_CERT_FILE names that of a hospital's own authority.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Self
from urllib.parse import urlsplit

from phems import __version__
from phems.errors import PhemsError, UnavailableError

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 600.0
CHUNK = 1024 * 1024
_REDIRECTS = range(300, 400)
_ASK = "Check the address, and ask the node's operator whether it runs there."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the node answered, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """What the body is said to be."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class NodeConnection:
    """Requests to one node. Close it, or use it in a `with` block."""

    def __init__(self, url: str, token: str | None, *, remedy: str = _ASK) -> None:
        parts = urlsplit(url)
        self.url = url
        self._prefix = parts.path
        self._host, self._port = parts.hostname or "", parts.port
        self._is_tls = parts.scheme == "https"
        self._remedy = remedy
        self._connection: HTTPConnection | None = None
        self._headers = {"Accept": "application/json", "User-Agent": f"phems/{__version__}"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        again: bool = True,
    ) -> Answer:
        """One request. When the connection breaks it is sent once more, if it may be sent `again`."""
        try:
            return self._asked(method, path, body, headers)
        except _DroppedError as dropped:
            if not again:
                raise self._told(dropped.error) from dropped.error
        try:
            return self._asked(method, path, body, headers)
        except _DroppedError as dropped:
            raise self._told(dropped.error) from dropped.error

    def stream(self, path: str, refused: Callable[[Answer], PhemsError]) -> Iterator[bytes]:
        """The bytes of a file, in chunks; before the first, `refused` makes an error of any other answer."""
        with self._failures():
            response = self._send("GET", path, None, None)
            answer = _read(response) if response.status != 200 else None  # noqa: PLR2004
        if answer is not None:
            raise refused(answer)
        return self._chunks(response)

    def _chunks(self, response: HTTPResponse) -> Iterator[bytes]:
        left = response.length
        while True:
            with self._failures():
                chunk = response.read(CHUNK)
            if not chunk:
                break
            left = None if left is None else left - len(chunk)
            yield chunk
        if left:
            raise self._told(ConnectionResetError("it ended too early"))

    def _asked(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Answer:
        try:
            answer = _read(self._send(method, path, body, headers))
        except (OSError, HTTPException) as error:
            self.close()
            if _is_drop(error):
                raise _DroppedError(error) from error
            raise self._told(error) from error
        if answer.status in _REDIRECTS:
            raise self._moved(answer)
        return answer

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> HTTPResponse:
        if self._connection is None:
            self._connection = self._connected()
        self._connection.request(method, self._prefix + path, body, {**self._headers, **(headers or {})})
        return self._connection.getresponse()

    def _connected(self) -> HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            made: HTTPConnection = HTTPSConnection(
                self._host, self._port, timeout=CONNECT_SECONDS, context=context
            )
        else:
            made = HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        made.connect()
        made.sock.settimeout(ANSWER_SECONDS)
        return made

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (OSError, HTTPException) as error:
            self.close()
            raise self._told(error) from error

    def _told(self, error: Exception) -> PhemsError:
        """What went wrong on the way, for people."""
        where = f"{self._host} port {self._port or (443 if self._is_tls else 80)}"
        if _is_drop(error):
            return UnavailableError(
                "The connection to the node broke.",
                why=f"{where}: {_reason(error)}.",
                remedy=f"Look at what became of it, then try again. {self._remedy}",
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return UnavailableError(
                f"The node at {self.url} cannot be trusted: its certificate does not hold.",
                why=f"{error.verify_message}. Nothing was sent.",
                remedy="If the hospital has an authority of its own, name its certificate: "
                "export SSL_CERT_FILE=FILE.pem. Otherwise ask the node's operator.",
            )
        if isinstance(error, ssl.SSLError):
            return UnavailableError(
                f"What listens at {self.url} does not speak TLS.",
                why=f"{error.reason or error}. Nothing was sent.",
                remedy="Check the port. Only a node on this machine is reached over http.",
            )
        if isinstance(error, socket.gaierror):
            return UnavailableError(
                f"There is no host named {self._host}.", why=f"{error.strerror}.", remedy=self._remedy
            )
        if isinstance(error, TimeoutError):
            return UnavailableError(
                "The node does not answer.", why=f"Nothing came from {where} in time.", remedy=self._remedy
            )
        return UnavailableError(
            "The node does not answer.",
            why=f"Nothing serves {where}: {_reason(error)}.",
            remedy=self._remedy,
        )

    def _moved(self, answer: Answer) -> PhemsError:
        return UnavailableError(
            f"{self.url} leads elsewhere.",
            why=f"it answers {answer.status}, to {answer.headers.get('location', 'nowhere')}; "
            "a token is sent to the node alone.",
            remedy="Name the address of the node itself with --node.",
        )

    def not_a_node(self, why: str) -> PhemsError:
        """What answers is something else."""
        return UnavailableError(f"What answers at {self.url} is not a node.", why=why, remedy=self._remedy)


class _DroppedError(Exception):
    """The connection broke after it was made."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _read(response: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def _is_drop(error: Exception) -> bool:
    refused = getattr(error, "errno", None) == errno.ECONNREFUSED
    return isinstance(error, ConnectionError | HTTPException | ssl.SSLEOFError) and not refused


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
