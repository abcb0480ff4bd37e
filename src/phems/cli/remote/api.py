"""The API of one node as commands speak it: JSON there and back, problems as errors, acts that are done once.

Every act has an idempotency key of its own. When the connection breaks it is sent once more under the key;
the node does it once, or says what it answered before.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter, ValidationError

from phems import __version__
from phems.cli.remote.connection import Answer, NodeConnection
from phems.cli.remote.problems import PROBLEM_TYPE, error_of
from phems.errors import PhemsError, UnavailableError

Decoded = TypeVar("Decoded")

PAGE = 200
BUSY_SECONDS = 300.0
_CONFLICT, _OK = 409, range(200, 300)


class NodeApi:
    """`/api` of one node. Close it, or use it in a `with` block."""

    def __init__(self, connection: NodeConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str, /, **query: Any) -> Any:
        """What a GET answers."""
        return self._plain(self._connection.ask("GET", _address(path, query)))

    def pages(self, path: str, /, **query: Any) -> Iterator[Any]:
        """The rows of a list, from its first page to its last."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What an act answers; it is done once, also when it has to be sent twice."""
        said = json.dumps(body or {}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        end = time.monotonic() + BUSY_SECONDS
        while True:
            answer = self._connection.ask("POST", _address(path, {}), said, headers)
            wait = answer.headers.get("retry-after", "")
            if answer.status != _CONFLICT or not wait.isdecimal() or time.monotonic() > end:
                return self._plain(answer)
            # Sent twice, and being done: its answer comes when it is over.
            time.sleep(min(int(wait), 5))

    def file(self, path: str, /, **query: Any) -> Iterator[bytes]:
        """The bytes of a file, in chunks."""
        return self._connection.stream(_address(path, query), self._refused)

    def decode(self, kind: type[Decoded], plain: Any) -> Decoded:
        """An answer as one of the types that the use cases give."""
        try:
            return TypeAdapter(kind).validate_python(plain)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UnavailableError(
                "The node's answer is not understood.",
                why=f"{where or 'it'}: {first['msg']}. The node is another version than this command line, "
                f"which is {__version__}.",
                remedy="Install the version that the node has: phems status says which.",
            ) from error

    def _plain(self, answer: Answer) -> Any:
        if answer.status not in _OK:
            raise self._refused(answer)
        if not answer.body:
            return None
        found = _json(answer)
        if found is None or answer.media_type != "application/json":
            raise self._connection.not_a_node(f"It answers {answer.media_type or 'nothing'}, not JSON.")
        return found

    def _refused(self, answer: Answer) -> PhemsError:
        found = _json(answer)
        if answer.media_type != PROBLEM_TYPE or not isinstance(found, dict):
            return self._connection.not_a_node(
                f"It answers {answer.status} with {answer.media_type or 'nothing'}, not as a node does."
            )
        return error_of(found, url=self._connection.url)


def part(text: str) -> str:
    """A name as one part of an address, whatever is in it."""
    return quote(text, safe="")


def _address(path: str, query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"/api{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None
