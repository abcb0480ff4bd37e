"""The API server of the small cluster: batch/v1 Jobs, and what of core/v1 they need, over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
from stub_store import AnswerError, Object, Store

VERSION = "1.36"
RESTARTS = {"Never", "OnFailure"}
_PATH = re.compile(
    r"/(?:api/v1|apis/(?:apps|batch|networking\.k8s\.io|rbac\.authorization\.k8s\.io)/v1)/namespaces(?:/(?P<namespace>[^/]+)(?:/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+)"
    r"(?:/(?P<sub>eviction))?)?)?)?"
)


@contextmanager
def serving(store: Store) -> Iterator[str]:
    """Serve a store; gives the address."""

    class Handler(_Handler):
        of = store

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: Store

    def _answer(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        found = _PATH.fullmatch(address.path)
        try:
            if found is not None and query.get("watch") == "true":
                self._stream(found["kind"], found["namespace"], query)
                return
            code, answer = self._act(found, query, json.loads(body or "{}"))
        except AnswerError as error:
            code, answer = error.status["code"], error.status
        text = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 (the base class's)

    def _act(self, at: re.Match[str] | None, query: dict[str, str], body: Object) -> tuple[int, Any]:
        if at is None:
            raise AnswerError(404, "NotFound", "there is no such path")
        namespace, kind, name = at["namespace"], at["kind"], at["name"]
        if kind is None:
            namespace, kind, name = "", "namespaces", namespace
        if at["sub"] == "eviction":
            self._evict(namespace, name)
            return 201, {"kind": "Status", "status": "Success"}
        if self.command == "POST":
            _check(body)
            return 201, self.of.create(kind, namespace, body)
        if self.command == "DELETE":
            self.of.delete(kind, namespace, name, body.get("propagationPolicy", "Background"))
            return 200, {"kind": "Status", "status": "Success"}
        if name is not None:
            return 200, self.of.get(kind, namespace, name)
        items, version = self.of.list(kind, namespace, query.get("labelSelector", ""))
        return 200, {"kind": "List", "metadata": {"resourceVersion": version}, "items": items}

    def _evict(self, namespace: str, name: str) -> None:
        why = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        self.of.change("pods", namespace, name, lambda pod: pod["status"]["conditions"].append(why))
        self.of.delete("pods", namespace, name)

    def _stream(self, kind: str, namespace: str, query: dict[str, str]) -> None:
        events = self.of.watch(
            kind,
            namespace,
            query.get("labelSelector", ""),
            query["resourceVersion"],
            float(query.get("timeoutSeconds", "60")),
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            try:
                for event in events:
                    if event is not None:
                        self._chunk(event)
            except AnswerError as error:
                self._chunk({"type": "ERROR", "object": error.status})
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # who watched has left

    def _chunk(self, event: Object) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's)
        """Tests say themselves what they saw."""


def _check(body: Object) -> None:
    try:
        kubernetes_validate.validate(body, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise AnswerError(422, "Invalid", str(error)[:500]) from error
    # The schema has no words for this one.
    if body["kind"] == "Job" and body["spec"]["template"]["spec"]["restartPolicy"] not in RESTARTS:
        raise AnswerError(422, "Invalid", "spec.template.spec.restartPolicy: Required value")
