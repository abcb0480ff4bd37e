"""The node's mail goes over TLS, to a server whose certificate holds, as the user that node.yaml names."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.certificates import CertificateAuthority
from tests.receivers import mail_server

from phems.adapters.mail import MailChannel, MailServer
from phems.domain.notifications import Notice, Notification
from phems.errors import UnavailableError

LOGIN = ("data-node", "what the mail server knows us by")
KNOWN = (LOGIN[0].encode(), LOGIN[1].encode())


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server on this machine, by a CA that this machine trusts."""
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue("mail", for_names=("localhost",))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)
    return context


def send(port: int, *, host: str = "localhost", password: str = LOGIN[1]) -> None:
    server = MailServer(host, port, "starttls", "node@hospital.example", LOGIN[0], lambda: password)
    notice = Notice("vote", "heart", "rr-abcdefgh", datetime(2026, 11, 28, tzinfo=UTC))
    MailChannel(server, node="st-mary").send(
        Notification(7, "mail", ("iris",), notice),
        address="iris@hospital.example",
        text="A release request of the project heart waits for a vote.",
        link="https://node.hospital.example/releases/rr-abcdefgh",
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_mail_is_handed_over_by_starttls_and_with_the_password(tls: ssl.SSLContext) -> None:
    with mail_server(free_port(), tls=tls, login=KNOWN) as mailbox:
        send(mailbox.port)
        (message,) = mailbox.messages
    assert message["Message-ID"] == "<notification-7.st-mary@hospital.example>"
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_wrong_password_is_told_without_it(tls: ssl.SSLContext) -> None:
    with mail_server(free_port(), tls=tls, login=KNOWN) as mailbox:
        with pytest.raises(UnavailableError, match="not taken") as caught:
            send(mailbox.port, password="a wrong one")
        assert mailbox.messages == []
    assert "SMTPAuthenticationError 535" in caught.value.why
    assert "a wrong one" not in str(caught.value)


def test_a_server_whose_certificate_is_for_another_name_gets_nothing(tls: ssl.SSLContext) -> None:
    """Otherwise whoever sits in between has the node's password."""
    with mail_server(free_port(), tls=tls, login=KNOWN) as mailbox:
        with pytest.raises(UnavailableError, match="SSLCertVerificationError"):
            send(mailbox.port, host="127.0.0.1")
        assert mailbox.messages == []
