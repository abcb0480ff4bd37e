"""The rules of signing in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from phems.domain import sign_in
from phems.domain.sign_in import LONGEST_WAIT, check_name, check_password, wait_after
from phems.errors import InputError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ["ada", "ada.lovelace", "a", "ada@example.org", "0" * 127])
def test_a_name_that_node_yaml_takes_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Ada", "-ada", "ada lovelace", "a" * 128, "local-operator", "node", "ada\n"]
)
def test_a_name_that_would_confuse_or_belongs_to_the_node_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be a user's name"):
        check_name(name)


def test_a_password_is_neither_short_nor_endless_and_is_not_quoted() -> None:
    assert check_password("x" * 12) == "x" * 12
    for wrong in ("x" * 11, "x" * 1025):
        with pytest.raises(InputError) as refused:
            check_password(wrong)
        assert wrong not in str(refused.value)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 1), (6, 2), (8, 8), (1_000_000, LONGEST_WAIT.seconds)]
)
def test_each_failure_after_the_first_few_doubles_the_wait(failures: int, seconds: int) -> None:
    assert wait_after(failures, NOON, NOON) == timedelta(seconds=seconds)


def test_who_has_waited_may_try_again() -> None:
    assert wait_after(6, NOON, NOON + timedelta(seconds=1)) == timedelta(seconds=1)
    assert wait_after(6, NOON, NOON + timedelta(seconds=2)) == timedelta(0)


def test_what_a_token_is_called_is_one_short_line() -> None:
    assert sign_in.check_label("  nightly export ") == "nightly export"
    for label in ("two\nlines", "x" * 101):
        with pytest.raises(InputError, match="cannot be called"):
            sign_in.check_label(label)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("10.0.0.7", "address 10.0.0.7"),
        ("::ffff:10.0.0.7", "address 10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "address 2001:db8:1:2::/64"),
        ("testclient", "address unknown"),
    ],
)
def test_tries_are_counted_by_where_they_come_from(address: str, key: str) -> None:
    """One machine has more IPv6 addresses than can be counted, all in one network."""
    assert sign_in.address_key(address) == key
    assert sign_in.NAME.fullmatch(key) is None


def test_an_address_has_more_free_tries_than_a_name() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert sign_in.address_wait_after(49, now, now) == timedelta(0)
    assert sign_in.address_wait_after(50, now, now) == timedelta(seconds=1)
    assert sign_in.address_wait_after(500, now, now) == timedelta(minutes=1)


def test_what_somebody_else_wrote_stands_in_a_message_as_one_short_line() -> None:
    assert sign_in.printable("access\ndenied" + "x" * 300) == "access?denied" + "x" * 187
