"""Addresses that mail may go to: one, and vouched for."""

from __future__ import annotations

import pytest

from phems.domain.sign_in import check_email, verified_email
from phems.errors import InputError


@pytest.mark.parametrize("email", ["iris@hospital.example", "i.o'neill+x@a.example"])
def test_an_address_is_taken(email: str) -> None:
    assert check_email(email) == email
    assert verified_email({"email": email, "email_verified": True}) == email


@pytest.mark.parametrize(
    "email",
    ["iris", "@a.example", "a@b@c", "Iris <iris@a.example>", "a@b.example\nBcc: c@d.example", "a@b,c@d"],
)
def test_what_is_none_or_several_is_not(email: str) -> None:
    """A second address, or a header, would have the node's mail go to whoever wrote it."""
    with pytest.raises(InputError, match="not a mail address"):
        check_email(email)
    assert verified_email({"email": email, "email_verified": True}) is None


@pytest.mark.parametrize("claims", [{}, {"email": "a@b.example"}, {"email": 1, "email_verified": True}])
def test_an_address_that_the_provider_has_not_verified_is_not_taken(claims: dict[str, object]) -> None:
    assert verified_email(claims) is None
