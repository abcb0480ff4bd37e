"""Forms as browsers send them without script, and who sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from starlette.requests import Request

from phems.services.user_sessions import Client

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 100


class Form:
    """The fields of a form: the last value of a name, or all of them."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def get(self, name: str, default: str = "") -> str:
        """The value of a field."""
        return self._values.get(name, [default])[-1]

    def all(self, name: str) -> Sequence[str]:
        """Every value of a field: of boxes that are ticked."""
        return self._values.get(name, [])


async def form_fields(request: Request) -> Form | None:
    """The form in the body; None when the body is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return None
    text = (await request.body()).decode("utf-8", errors="replace")
    try:
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return None


def client_of(request: Request) -> Client:
    """From where a request comes."""
    address = request.client.host if request.client is not None else ""
    return Client(address, request.headers.get("user-agent", ""))
