"""A proxy before an API server, the stub's or a real one's, that does to requests what a bad day does.

Requests are forwarded with the credentials of a kubeconfig. A fault is met by the next requests that fit it,
as many as it is for; `all_met` says whether each has been.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from phems.adapters.kubernetes.api import ClusterApi

HOP = {"connection", "transfer-encoding", "content-length", "content-encoding"}


@dataclass
class Fault:
    """What happens to the next `times` requests of this kind. `path` is a pattern, with the query;
    without a method it is any.

    status: answer with it, and `body`, and forward nothing. lost: forward, and hang up. gone: a watch that is
    too old.
    """

    method: str
    path: str
    act: Literal["status", "lost", "gone"]
    times: int = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


class ApiProxy:
    """See the module's docstring. `address` is where it serves."""

    def __init__(self, upstream: ClusterApi) -> None:
        self._upstream = upstream
        self._faults: list[Fault] = []
        self._watches: set[Any] = set()
        self.asked: set[tuple[str, str]] = set()
        """What was asked for: verbs and resources, as rights are written."""
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            of = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Serve no more."""
        self.cut_watches()
        self._server.shutdown()
        self._server.server_close()

    def add(self, *faults: Fault) -> None:
        """Have the next requests meet these, in their order."""
        with self._lock:
            self._faults += faults

    def clear(self) -> None:
        """Be a good proxy."""
        with self._lock:
            self._faults.clear()

    def times_left(self) -> int:
        """How many requests are still to meet a fault."""
        with self._lock:
            return sum(fault.times for fault in self._faults)

    def all_met(self) -> bool:
        """Whether every fault has been met as often as it was for."""
        return not self._faults

    def cut_watches(self) -> None:
        """Cut every watch that is open."""
        with self._lock:
            watches = list(self._watches)
        for watch in watches:
            with suppress(Exception):
                watch.shutdown()

    def fault_for(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets."""
        with self._lock:
            for fault in self._faults:
                if fault.method in {"", method} and re.search(fault.path, path):
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                    return fault
        return None

    def forward(self, method: str, path: str, body: bytes) -> Any:
        """The API server's own answer, not yet read."""
        self.asked.add(_right(method, path))
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token := self._upstream._configuration.get_api_key_with_prefix("authorization"):
            headers["Authorization"] = token
        return self._upstream._pool.request(
            method,
            self._upstream._configuration.host + path,
            body=body or None,
            headers=headers,
            preload_content=False,
        )

    @contextmanager
    def watching(self, answer: Any) -> Iterator[None]:
        """Know of a watch while it is open."""
        with self._lock:
            self._watches.add(answer)
        try:
            yield
        finally:
            with self._lock:
                self._watches.discard(answer)


def _right(method: str, path: str) -> tuple[str, str]:
    """The verb and the resource of a request."""
    address, _, query = path.partition("?")
    resource, _, name = address.partition("/namespaces/")[2].partition("/")[2].partition("/")
    if method == "GET":
        return ("watch" if "watch=true" in query else "get" if name else "list"), resource
    return {"POST": "create", "DELETE": "delete"}[method], resource


class _Handler(BaseHTTPRequestHandler):
    of: ApiProxy

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.of.fault_for(self.command, self.path)
        if fault is not None and fault.act == "status":
            status = {"kind": "Status", "code": fault.status, "message": f"no: {fault.status}"}
            self._send(fault.status, {**fault.headers}, [fault.body or json.dumps(status).encode()])
            return
        if fault is not None and fault.act == "gone":
            event = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
            self._send(200, {}, [json.dumps(event).encode() + b"\n"])
            return
        answer = self.of.forward(self.command, self.path, body)
        if fault is None:
            headers = {key: value for key, value in answer.headers.items() if key.lower() not in HOP}
            with self.of.watching(answer):
                self._send(answer.status, headers, answer.stream())
        answer.close()

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 (the base class's)

    def _send(self, status: int, headers: Mapping[str, str], parts: Any) -> None:
        """Answer in HTTP/1.0: what ends with the connection needs no length."""
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        with suppress(Exception):  # one side or the other has left
            for part in parts:
                self.wfile.write(part)
                self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
        """Tests say themselves what they saw."""
