"""The gateway's own pages: Jinja templates, one style sheet, no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

STYLE_PATH = "/static/phems.css"

PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def render(
    template: str, values: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A page of our own."""
    text = _environment().get_template(template).render(style=STYLE_PATH, **values)
    return HTMLResponse(text, status_code=status, headers={**PAGE_HEADERS, **(headers or {})})


def style_sheet() -> Response:
    """The style sheet, public: the sign-in page needs it."""
    return Response(_style(), media_type="text/css", headers={"Cache-Control": "public, max-age=300"})


@cache
def _style() -> bytes:
    return resources.files("phems.gateway").joinpath("static", "phems.css").read_bytes()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("phems.gateway", "templates"), autoescape=True, undefined=StrictUndefined
    )
