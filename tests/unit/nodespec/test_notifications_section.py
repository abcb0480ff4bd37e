"""Where notifications go, as node.yaml says it: never in the clear, and with no secret in the file."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from phems.nodespec.notifications import Notifications, Smtp, Webhook

SMTP = {"host": "mail.hospital.example", "sender": "node@hospital.example"}


def test_a_mail_server_takes_a_name_and_a_sender_and_nothing_else() -> None:
    assert Notifications(smtp=Smtp(**SMTP)).smtp == Smtp(**SMTP, port=587, security="starttls")
    Smtp(**SMTP, user="node", password="env:SMTP_PASSWORD", security="tls", port=465)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": "mail.hospital.example:25"}, "is not the name of a machine"),
        ({"sender": "The node <node@hospital.example>"}, "is not a mail address"),
        ({"sender": "node@hospital.example\nBcc: all@hospital.example"}, "is not a mail address"),
        ({"user": "node"}, "come together"),
        ({"password": "env:SMTP_PASSWORD"}, "come together"),
        ({"user": "node", "password": "s3cret"}, "stands in node.yaml"),
        ({"user": "node", "password": "env:P", "security": "none"}, "would go in the clear"),
    ],
)
def test_a_slip_is_told(changed: dict[str, Any], said: str) -> None:
    """Otherwise it shows at night, when somebody is waited for, or as a password on the wire."""
    with pytest.raises(ValidationError, match=said):
        Smtp(**{**SMTP, **changed})


@pytest.mark.parametrize(
    "url", ["https://chat.example/hooks/1?room=2", "http://127.0.0.1:8080/hook", "http://localhost"]
)
def test_a_webhook_goes_by_https_or_to_this_machine(url: str) -> None:
    assert Webhook(url=url, secret="file:chat.secret").url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://chat.example/hook",
        "https://user:password@chat.example/",
        "http://localhost.evil.example/",
        "chat",
    ],
)
def test_a_webhook_goes_nowhere_else(url: str) -> None:
    with pytest.raises(ValidationError, match="no address that notifications may go to"):
        Webhook(url=url, secret="file:chat.secret")
