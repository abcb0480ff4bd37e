"""What can be wrong on the way to a node, each told with what to do; acts sent again when it breaks."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.integration.api.api_site import PROJECT, ApiSite

TOKEN = ("--token", "phems_x")


@contextmanager
def answering(*answers: bytes | None, wrap: Any = None) -> Iterator[str]:
    """Answers connections with bytes, one after another; None breaks the connection. Gives host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                try:
                    peer, _ = listener.accept()
                    with wrap(peer) if wrap else peer as talk:
                        talk.recv(65536)
                        if answer is not None:
                            talk.sendall(answer)
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def http(status: str, kind: str, body: str, *more: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more)
    return "\r\n".join((*lines, "Connection: close", "", body)).encode()


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("ftp://node", "is not the address of a node"),
        ("https://", "is not the address of a node"),
        ("https://ana:secret@node", "is not the address of a node"),
        ("https://node:99999", "is not the address of a node"),
        ("http://node.hospital.example", "Remedy: phems --node https://node.hospital.example"),
    ],
)
def test_an_address_that_no_token_may_be_sent_to_is_refused_before_it_is(
    phems: Any, node: str, told: str
) -> None:
    said = phems("--node", node, *TOKEN, "project", "list")
    assert (said.code, told in said.err) == (2, True), said.err


def test_commands_about_the_folder_say_so(phems: Any) -> None:
    """`phems serve` at an address would otherwise serve what lies in the present folder."""
    for words in (("check",), ("serve",)):
        said = phems("--node", "https://node.hospital.example", *words)
        assert (said.code, "works on the folder of a node" in said.err) == (2, True), words


def test_nobody_there_and_no_such_host(phems: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said = phems("--node", f"http://127.0.0.1:{port}", *TOKEN, "project", "list")
    assert (said.code, f"port {port}" in said.err, "Remedy: Check the address" in said.err) == (5, True, True)
    said = phems("--node", "https://no-such-host.invalid", *TOKEN, "project", "list")
    assert (said.code, "no host named no-such-host.invalid" in said.err) == (5, True), said.err


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (http("200 OK", "text/html", "<p>Welcome"), "is not a node"),
        (http("404 Not Found", "text/plain", "no"), "is not a node"),
        (http("301 Moved", "text/plain", "", "Location: https://elsewhere"), "leads elsewhere"),
        (b"SSH-2.0-OpenSSH\r\n", "broke"),
    ],
)
def test_something_else_there(phems: Any, answer: bytes, told: str) -> None:
    """A login page of a proxy, say: the token goes nowhere else, and no HTML is printed."""
    with answering(answer, answer) as where:
        said = phems("--node", f"http://{where}", *TOKEN, "project", "list")
    assert (said.code, told in said.err) == (5, True), said.err
    assert "Welcome" not in said.err + said.out


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of 127.0.0.1 that no authority vouches for."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "node.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    authority = folder / "authority.pem"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return authority, context


def test_a_certificate_that_nobody_vouches_for_gets_no_token(
    phems: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands between the person and the node would otherwise be handed the token."""
    authority, context = _certificate(tmp_path)
    empty = http("200 OK", "application/json", '{"items": [], "next_cursor": null}')

    def wrap(peer: socket.socket) -> ssl.SSLSocket:
        return context.wrap_socket(peer, server_side=True)

    with answering(empty, empty, wrap=wrap) as where:
        said = phems("--node", f"https://{where}", *TOKEN, "project", "list")
        assert (said.code, "cannot be trusted" in said.err, "SSL_CERT_FILE" in said.err) == (5, True, True)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        trusted = phems("--node", f"https://{where}", *TOKEN, "project", "list", "--json")
        assert (trusted.code, trusted.out.strip()) == (0, "[]"), trusted.err
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as where:
        plain = phems("--node", f"https://{where}", *TOKEN, "project", "list")
        assert (plain.code, "does not speak TLS" in plain.err) == (5, True), plain.err


class BreakingWay:
    """The way to a node, on which the answer number `at` is lost: the connection breaks."""

    def __init__(self, url: str, *, at: int) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._at = at
        self._count = 0
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                for pump in (self._forward, self._back):
                    threading.Thread(target=pump, args=(near, far), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while said := near.recv(65536):
                far.sendall(said)

    def _back(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError), near, far:
            while answer := far.recv(65536):
                self._count += answer.count(b"HTTP/1.1 ")
                if self._count == self._at:
                    self._count += 1  # this one alone is lost
                    near.shutdown(socket.SHUT_RDWR)
                    return
                near.sendall(answer)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_act_whose_answer_is_lost_is_done_once(phems: Any, site: ApiSite, url: str, at: int) -> None:
    """The person sees a success; the node has one act on record, and not two or none."""
    token = ("--token", site.tokens["ana"])
    with BreakingWay(url, at=at) as way:
        said = phems("--node", way, *token, "--json", "code", "submit", "-p", PROJECT)
    assert said.code == 0, said.err
    assert said.data["state"] == "SUBMITTED"
    assert sum(entry.action == "code.submit" for entry in site.entries()) == 1


def test_a_password_is_not_sent_again_by_itself(phems: Any, site: ApiSite, url: str) -> None:
    """Each try counts: somebody on a bad line would lock themselves out."""
    with BreakingWay(url, at=1) as way:
        said = phems("login", way, "--user", "ana", "--password-stdin", stdin="not her password\n")
    assert (said.code, "connection to the node broke" in said.err) == (5, True), said.err
    assert sum(entry.action == "user.sign_in" for entry in site.entries()) == 1
