"""Numbers as Prometheus reads them, and the small listener by which a worker process tells its own."""

from __future__ import annotations

import hmac
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from phems.domain.metrics import PREFIX, Reading
from phems.engine.doors import first_free
from phems.nodespec.gateway_rules import is_loopback

_LOG = logging.getLogger("phems.metrics")
PATH = "/metrics"
PATIENCE_SECONDS = 10.0
Read = Callable[[], Iterable[Reading]]


def family_of(reading: Reading) -> Metric:
    """What was read, as Prometheus has it."""
    row = reading.metric
    made = CounterMetricFamily if row.kind == "counter" else GaugeMetricFamily
    family = made(PREFIX + row.name, row.about, labels=row.labels)
    for labels, value in reading.values:
        family.add_metric([labels[name] for name in row.labels], value)
    return family


class _Readings(Collector):
    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return map(family_of, self._read())


class MetricsListener:
    """Answers GET /metrics at `host`, on the first of `ports` that is free; raises OSError when none is.

    With a `token` it answers who shows that (Authorization: Bearer), and nobody else.
    """

    def __init__(self, host: str, ports: Sequence[int], token: str | None, read: Read) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Readings(read))

        class Answer(BaseHTTPRequestHandler):
            """One request."""

            timeout = PATIENCE_SECONDS
            server_version, sys_version = "phems", ""

            def do_GET(self) -> None:
                """The numbers, or why there are none."""
                if self.path.partition("?")[0] != PATH:
                    self.send_error(404)
                elif not _may_read(self.headers.get, token):
                    self.send_error(401)
                else:
                    text = generate_latest(registry)
                    self.send_response(200)
                    self.send_header("Content-Type", CONTENT_TYPE_LATEST)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """What is asked is a stranger's text."""

        listening = first_free(host, ports)
        self.port: int = listening.getsockname()[1]
        self._server = _Server(listening, Answer)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="phems-worker-metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listening.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def handle_error(self, _request: object, _client_address: object) -> None:
        _LOG.warning("a question for metrics was not answered", exc_info=True)


def _may_read(header: Callable[[str, str], str], token: str | None) -> bool:
    if token is None:
        # A page that had its own name lead to this machine shows that name.
        name = header("Host", "").rpartition(":")[0] or header("Host", "")
        return is_loopback(name)
    return shows(token, header("Authorization", ""))


def shows(token: str, authorization: str) -> bool:
    """Whether the header `Authorization` has this token as its bearer's."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
