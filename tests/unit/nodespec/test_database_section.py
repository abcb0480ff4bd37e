"""What the database's section of node.yaml amounts to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from phems.nodespec.database import Database, DatabaseTls

FILES = {"certificate": "node.crt", "key": "node.key"}


def absolute(path: str) -> str:
    return f"/node/{path}"


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"mode": "disable"}, {"sslmode": "disable"}),
        ({"mode": "require"}, {"sslmode": "require"}),
        ({}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        ({"ca": "ca.crt"}, {"sslmode": "verify-full", "sslrootcert": "/node/ca.crt"}),
        (
            {"mode": "verify-ca", "ca": "ca.crt", **FILES},
            {
                "sslmode": "verify-ca",
                "sslrootcert": "/node/ca.crt",
                "sslcert": "/node/node.crt",
                "sslkey": "/node/node.key",
            },
        ),
    ],
)
def test_tls_is_told_to_libpq_in_its_words(tls: dict[str, Any], words: dict[str, str]) -> None:
    """Otherwise a server is trusted that the operator meant to be verified."""
    assert DatabaseTls(**tls).libpq(absolute) == words


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ({"url": "postgresql://h/d", "tls": {"certificate": "a"}}, "one of certificate and key"),
        ({"url": "postgresql://h/d", "tls": {"key": "a"}}, "one of certificate and key"),
        ({"url": "postgresql://h/d", "tls": {"mode": "disable", "ca": "a"}}, "is disabled"),
        ({"url": "postgresql://h/d", "tls": {"mode": "disable", **FILES}}, "is disabled"),
        ({"url": "postgresql://h/d", "tls": {"mode": "verify-ca"}}, "names none"),
        ({"tls": {"mode": "require"}}, "no url"),
        ({"connections": {"engine": 1}}, "greater than or equal to 4"),
        ({"statement_timeout": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_together_is_told(section: dict[str, Any], what: str) -> None:
    """Otherwise an operator believes in a protection that is not there."""
    with pytest.raises(ValidationError, match=what):
        Database.model_validate(section)
