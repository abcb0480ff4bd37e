"""What takes notifications: a real mail server and a real receiver of webhooks, on ports of this machine."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class Mailbox:
    """A mail server that keeps what it takes, and takes nothing while `refusing`."""

    port: int = 0
    refusing: bool = False
    login: tuple[bytes, bytes] | None = None
    messages: list[Message] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (its name)
        if self.refusing:
            return "451 Come again later"
        message = message_from_bytes(envelope.content, policy=default)
        assert [message["To"]] == envelope.rcpt_tos
        self.messages.append(message)
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _way: str, given: Any) -> AuthResult:
        is_known = isinstance(given, LoginPassword) and (given.login, given.password) == self.login
        return AuthResult(success=is_known, handled=False)

    def to(self, address: str) -> list[Message]:
        """What somebody got."""
        return [message for message in self.messages if message["To"] == address]


@contextmanager
def mail_server(
    port: int, *, tls: ssl.SSLContext | None = None, login: tuple[bytes, bytes] | None = None
) -> Iterator[Mailbox]:
    """Serve mail; with `tls` by STARTTLS alone, with `login` to who signs in alone."""
    box = Mailbox(port, login=login)
    secured = {"tls_context": tls, "require_starttls": True} if tls is not None else {}
    signed_in = {"authenticator": box.authenticate, "auth_required": True} if login is not None else {}
    controller = Controller(box, hostname="127.0.0.1", port=port, **secured, **signed_in)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Hooks:
    """What a receiver of webhooks was sent: headers and body of each."""

    port: int = 0
    status: int = 204
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def told(self) -> list[dict[str, Any]]:
        """The bodies."""
        return [json.loads(body) for _, body in self.taken]


@contextmanager
def webhook_receiver(port: int) -> Iterator[Hooks]:
    """Take webhooks, and answer each with `status`."""
    hooks = Hooks()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hooks.status < 300:
                hooks.taken.append((dict(self.headers), body))
            self.send_response(hooks.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    hooks.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hooks
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
