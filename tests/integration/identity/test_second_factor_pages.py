"""A second factor in the browser, at the API and by command, of a node that asks everybody for one."""

from __future__ import annotations

import io
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from tests.integration.identity.identity_site import IdentitySite, identity_site
from tests.integration.identity.oidc_provider import SECRET, Browser, free_port

from phems.adapters.postgres.database import Database
from phems.cli.__main__ import main
from phems.domain.actors import LOCAL_OPERATOR

PASSWORD = "four plain words here"
PAGE = "/account/second-factor"


@pytest.fixture
def site(database: Database) -> Iterator[IdentitySite]:
    """The node. Ana has a password, and Lola, an operator, a token."""
    with (
        tempfile.TemporaryDirectory(prefix="phems-") as folder,
        identity_site(
            Path(folder),
            database,
            "https://login.example",
            SECRET,
            free_port(),
            local="second_factor: required",
        ) as started,
    ):
        started.node.users.add_user(LOCAL_OPERATOR, "ana", PASSWORD)
        started.node.users.add_user(LOCAL_OPERATOR, "lola")
        yield started


@pytest.fixture
def ana(site: IdentitySite) -> Browser:
    """Ana, signed in with her password."""
    browser = Browser()
    answer = sent(site, browser, "/login", name="ana", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return browser


def sent(site: IdentitySite, browser: Browser, path: str, **fields: str) -> httpx.Response:
    # A browser says that it sends a form when it is empty, too.
    return browser.post(site.origin + path, fields or {"button": ""}, site.origin)


def set_up(site: IdentitySite, browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """Go through the page with a phone; gives the phone's app and the recovery codes."""
    assert sent(site, browser, f"{PAGE}/begin").headers["location"] == PAGE
    page = browser.get(site.origin + PAGE).text
    secret = re.search(r"type the secret into it: <code>([A-Z2-7 ]+)</code>", page)
    assert secret
    assert 'src="data:image/svg+xml' in page
    app = pyotp.TOTP(secret[1].replace(" ", ""))
    done = sent(site, browser, f"{PAGE}/confirm", code=app.now())
    assert done.status_code == 200, done.text
    return app, re.findall(r"<li><code>([a-z2-7-]{19})</code></li>", done.text)


def next_code(app: pyotp.TOTP) -> str:
    """The one that the app shows in half a minute: it counts already, when the one of now has been used."""
    return app.at(int(time.time()) + 30)


def test_whoever_has_none_is_led_to_it_and_can_do_nothing_else(site: IdentitySite, ana: Browser) -> None:
    """A node that requires it must not be open to a password alone, on whatever way."""
    for path in ("/", "/account", "/projects", "/dagster", "/projects/heart-attack"):
        answer = ana.get(site.origin + path)
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE), path
    for path in ("/api/me", "/api/users", "/events"):
        assert ana.get(site.origin + path, headers={"Accept": "application/json"}).status_code == 403, path
    for path in ("/account/tokens", "/account/sessions/end-all", f"{PAGE}/remove", "/graphql"):
        assert sent(site, ana, path, label="x", days="9").status_code == 403, path
    assert site.node.users.list_tokens("ana") == []
    assert "You can go on once it is set up" in ana.get(site.origin + PAGE).text
    _, codes = set_up(site, ana)
    assert len(codes) == 10
    assert ana.get(f"{site.origin}/account").status_code == 200
    assert ana.get(f"{site.origin}/api/me").json()["name"] == "ana"
    again = ana.get(site.origin + PAGE).text
    assert "10 recovery codes" in again
    assert codes[0] not in again


def test_signing_in_takes_a_code_in_a_second_step(site: IdentitySite, ana: Browser) -> None:
    app, codes = set_up(site, ana)
    browser = Browser()
    step = sent(site, browser, "/login", name="ana", password=PASSWORD, next="/account")
    assert step.status_code == 200
    assert "set-cookie" not in step.headers
    assert PASSWORD not in step.text
    half = re.search(r'name="half" value="([^"]+)"', step.text)
    assert half
    wrong = sent(site, browser, "/login/code", half=half[1], code="nonsense")
    assert (wrong.status_code, "the code is wrong" in wrong.text.lower()) == (403, True)
    code = next_code(app)
    done = sent(site, browser, "/login/code", half=half[1], code=code)
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert browser.get(f"{site.origin}/account").status_code == 200
    assert {session.method for session in site.node.users.list_sessions("ana")} == {
        "password",
        "password and code",
    }
    thief = Browser()
    half = re.search(
        r'name="half" value="([^"]+)"', sent(site, thief, "/login", name="ana", password=PASSWORD).text
    )
    assert half
    assert sent(site, thief, "/login/code", half=half[1], code=code).status_code == 403
    assert sent(site, thief, "/login/code", half="made-up", code=codes[0]).status_code == 403
    assert sent(site, browser, f"{PAGE}/remove", password=PASSWORD, code="nonsense").status_code == 403
    gone = sent(site, browser, f"{PAGE}/remove", password=PASSWORD, code=codes[0])
    assert (gone.status_code, gone.headers["location"]) == (303, "/account")
    assert browser.get(f"{site.origin}/account").headers["location"] == PAGE


def test_a_token_does_not_open_the_page(site: IdentitySite) -> None:
    """Whoever finds a token must not be able to bind its owner's account to their own phone."""
    token = site.node.users.issue_token(LOCAL_OPERATOR, "ana").secret
    with httpx.Client(base_url=site.origin, headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get(PAGE).status_code == 403
        assert client.post(f"{PAGE}/begin", data={"a": "b"}).status_code == 403
        assert client.get("/api/me").status_code == 200


class Terminal(io.StringIO):
    """What somebody types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_command_line_asks_for_the_code_when_it_is_needed(
    site: IdentitySite,
    ana: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("PHEMS_NODE", "PHEMS_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def login(typed: io.StringIO, *words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", typed)
        code = main(["login", site.origin, "--user", "ana", "--password-stdin", *words])
        return code, capsys.readouterr().err

    code, said = login(io.StringIO(f"{PASSWORD}\n"))
    assert (code, "Sign in with a browser" in said or "second factor first" in said) == (4, True)
    app, codes = set_up(site, ana)
    code, said = login(io.StringIO(f"{PASSWORD}\n"))
    assert (code, "--code CODE" in said) == (4, True)
    code, said = login(Terminal(f"{PASSWORD}\n{next_code(app)}\n"))
    assert (code, said) == (0, "Code from your app, or a recovery code: ")
    code, said = login(io.StringIO(f"{PASSWORD}\n"), "--code", codes[0])
    assert (code, said) == (0, "")
    code, said = login(io.StringIO(f"{PASSWORD}\n"), "--code", codes[0])
    assert (code, "used before" in said) == (4, True)
    token = site.node.users.issue_token(LOCAL_OPERATOR, "lola").secret
    there = ["--node", site.origin, "--token", token, "user"]
    assert main([*there, "list"]) == 0
    assert re.search(r"ana\s+yes\s+yes", capsys.readouterr().out)
    assert main([*there, "reset-second-factor", "ana"]) == 0
    assert ana.get(f"{site.origin}/account").headers["location"].startswith("/login")
    assert main([*there, "reset-second-factor", "ana"]) == 3
