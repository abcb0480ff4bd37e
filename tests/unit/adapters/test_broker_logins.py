"""Logins at the broker: kept for the node's user alone, and written so that AMQP reads what was meant."""

from __future__ import annotations

import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from phems.adapters.rabbitmq.logins import BrokerLogin, amqp_url, load_login, login_file, save_login
from phems.errors import UnavailableError
from phems.nodespec import Broker
from phems.nodespec.broker import vhost_of

LOGIN = BrokerLogin("phems.st-mary.heart", "phems.st-mary.heart", "p@ss/w:rd%?#")


def test_a_login_is_read_as_it_was_kept_and_by_nobody_else(tmp_path: Path) -> None:
    """Otherwise any account of the machine puts messages in the project's queue."""
    save_login(tmp_path / "keys", "heart", LOGIN)
    file = login_file(tmp_path / "keys", "heart")
    assert load_login(tmp_path / "keys", "heart") == LOGIN
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert LOGIN.password not in repr(LOGIN)


def test_a_login_that_is_missing_or_broken_is_told_with_the_command(tmp_path: Path) -> None:
    """Otherwise a worker ends with a traceback that names a file nobody knows."""
    with pytest.raises(UnavailableError, match="heart has no login") as missing:
        load_login(tmp_path, "heart")
    assert missing.value.remedy == "phems broker init"
    save_login(tmp_path, "heart", LOGIN)
    for broken in ("{", "[]", '{"vhost": "a"}'):
        login_file(tmp_path, "heart").write_text(broken)
        with pytest.raises(UnavailableError, match="cannot be read") as told:
            load_login(tmp_path, "heart")
        assert "--rotate heart" in told.value.remedy


@pytest.mark.parametrize("url", ["amqp://127.0.0.1:5672", "amqps://[::1]:5671"])
def test_the_address_carries_any_password(url: str) -> None:
    """A password with a slash or an at sign would otherwise name another host."""
    parts = urlsplit(amqp_url(Broker(url=url, management="http://x"), LOGIN))
    assert f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" == url
    assert unquote(parts.password or "") == LOGIN.password
    assert (unquote(parts.username or ""), unquote(parts.path[1:])) == (LOGIN.user, LOGIN.vhost)


def test_nodes_that_share_a_broker_share_no_vhost() -> None:
    assert vhost_of("st-mary", "heart") == "phems.st-mary.heart" != vhost_of("st-john", "heart")
