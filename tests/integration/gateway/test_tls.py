"""TLS that the gateway speaks itself, with a real certificate: versions, files, and files that change."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest
from door_site import start_site
from plain_http import send
from small_node import until
from tls_files import write_tls_files

from phems.adapters.tls_files import TlsFiles
from phems.errors import InputError


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def peer_serial(port: int) -> str:
    """The serial number of the certificate that is served now."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain) as tls,
    ):
        found = tls.getpeercert(binary_form=True)
    assert found is not None
    return ssl.DER_cert_to_PEM_cert(found)


def test_people_sign_in_by_https_and_everything_else_is_refused(tmp_path: Path) -> None:
    certificate, key = write_tls_files(tmp_path)
    site = start_site(files=TlsFiles(certificate, key))
    try:
        assert site.server.url == f"https://127.0.0.1:{site.port}"
        connection = http.client.HTTPSConnection(
            "localhost", site.port, context=trusting(certificate), timeout=30
        )
        body = urlencode({"name": "ana", "password": "pass"}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"https://localhost:{site.port}",
        }
        connection.request("POST", "/login", body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303
        assert "secure" in str(answer.headers["Set-Cookie"]).lower()
        assert "max-age" in answer.headers["Strict-Transport-Security"]
        connection.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            send(site.port, "GET", "/login")
    finally:
        site.server.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_today_s_versions_are_spoken_with_forward_secrecy(tmp_path: Path, version: ssl.TLSVersion) -> None:
    certificate, key = write_tls_files(tmp_path)
    site = start_site(files=TlsFiles(certificate, key))
    context = trusting(certificate)
    context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", site.port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            cipher = tls.cipher()
        assert cipher is not None
        assert cipher[0].startswith(("ECDHE-", "TLS_"))
    finally:
        site.server.stop()


def test_versions_that_are_broken_are_not_offered(tmp_path: Path) -> None:
    context = TlsFiles(*write_tls_files(tmp_path)).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert all(
        cipher["name"].startswith(("TLS_", "ECDHE-")) and "CBC" not in cipher["name"]
        for cipher in context.get_ciphers()
    )


def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    """Certificates last for weeks, and runs for days: a restart for each would end them."""
    certificate, key = write_tls_files(tmp_path)
    site = start_site(files=TlsFiles(certificate, key))
    try:
        before = peer_serial(site.port)
        newer = write_tls_files(tmp_path, name="newer")
        newer[1].replace(key)
        assert peer_serial(site.port) == before  # one without the other is not taken up
        newer[0].replace(certificate)
        until(lambda: peer_serial(site.port) != before)
    finally:
        site.server.stop()


HARMS: Mapping[str, tuple[Callable[[Path, Path], object], str, str]] = {
    "no certificate": (lambda certificate, _: certificate.unlink(), "certificate", "does not exist"),
    "no key": (lambda _, key: key.unlink(), "key", "does not exist"),
    "open key": (lambda _, key: key.chmod(0o644), "key", "every user"),
    "not a certificate": (
        lambda certificate, _: certificate.write_text("x"),
        "certificate",
        "no certificate",
    ),
    "not a key": (lambda _, key: key.write_text("x"), "key", "no private key"),
    "another key": (
        lambda _, key: write_tls_files(key.parent, name="other")[1].replace(key),
        "key",
        "does not belong",
    ),
    "expired": (lambda _, key: write_tls_files(key.parent, days=-1), "certificate", "expired"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_files_that_cannot_be_served_are_named_before_the_start(tmp_path: Path, harm: str) -> None:
    """A node that starts and speaks to nobody leaves its operator guessing."""
    act, which, words = HARMS[harm]
    certificate, key = write_tls_files(tmp_path)
    act(certificate, key)
    with pytest.raises(InputError, match=words) as told:
        TlsFiles(certificate, key)
    assert f"gateway.tls.{which}" in told.value.what
    assert told.value.remedy
