"""The gateway's own pages: Jinja templates, one style sheet, one script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from phems.gateway import spelling

STYLE_PATH = "/static/phems.css"
SCRIPT_PATH = "/static/phems.js"
ICON_PATH = "/static/phems.svg"

STATIC: Mapping[str, str] = {
    STYLE_PATH: "text/css",
    SCRIPT_PATH: "text/javascript",
    ICON_PATH: "image/svg+xml",
}

PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def render(
    template: str, values: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A page of our own."""
    text = (
        _environment()
        .get_template(template)
        .render(style=STYLE_PATH, script=SCRIPT_PATH, icon=ICON_PATH, **values)
    )
    return HTMLResponse(text, status_code=status, headers={**PAGE_HEADERS, **(headers or {})})


def static_file(path: str) -> Response:
    """The style sheet or the script, public: the sign-in page needs them."""
    return Response(_bytes(path), media_type=STATIC[path], headers={"Cache-Control": "public, max-age=300"})


@cache
def _bytes(path: str) -> bytes:
    return resources.files("phems.gateway").joinpath(path.lstrip("/")).read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("phems.gateway", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=spelling.shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(spelling, name) for name in ("moment", "size", "short", "count", "visible")
    }
    return environment
