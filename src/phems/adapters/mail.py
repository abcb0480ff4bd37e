"""Notifications by mail: SMTP, over TLS unless node.yaml says otherwise. See `NotificationChannel`."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Literal

from phems.domain.notifications import Notification
from phems.errors import UnavailableError

SECONDS = 20.0
LONG_LINES = SMTP.clone(max_line_length=500)
"""A subject, or a link, that is broken up is read wrongly by some."""
FOOT = """\
This message names no file and holds no data. You get it because your address is with your user on the node;
an operator changes it: phems user email
"""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, and by whom."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    sender: str
    user: str | None = None
    password: Callable[[], str | None] = lambda: None
    """Read anew for each message: it may be changed while the node runs."""


class MailChannel:
    """Sends each notification as one message to one person."""

    def __init__(self, server: MailServer, *, node: str) -> None:
        self._server = server
        self._node = node

    def send(self, notification: Notification, *, address: str, text: str, link: str) -> None:
        """See the port."""
        try:
            message = self._message(notification, address=address, text=text, link=link)
            with self._connected() as connection:
                if self._server.security == "starttls":
                    connection.starttls(context=ssl.create_default_context())
                if self._server.user is not None:
                    connection.login(self._server.user, self._server.password() or "")
                connection.send_message(message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # An SMTP error quotes the server's answer, and that the address: its kind has to do.
            code = getattr(error, "smtp_code", None)
            raise UnavailableError(
                "The mail was not taken.",
                why=f"{type(error).__name__}{f' {code}' if code else ''} of {self._server.host}.",
                remedy="See notifications.smtp in node.yaml; it is tried again.",
            ) from None

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=context)
        return smtplib.SMTP(server.host, server.port, timeout=SECONDS)

    def _message(self, notification: Notification, *, address: str, text: str, link: str) -> EmailMessage:
        message = EmailMessage(policy=LONG_LINES)
        message["From"] = self._server.sender
        message["To"] = address
        message["Subject"] = f"[{self._node}] {text}"
        message["Date"] = formatdate()
        # The same each time it is tried: who gets it twice can tell.
        domain = self._server.sender.rpartition("@")[2].rstrip(">")
        message["Message-ID"] = f"<notification-{notification.number}.{self._node}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(f"{text}\n\n{link}\n\n-- \n{FOOT}")
        return message
