"""Every answer of a whole node, errors and files included, tells browsers what they must not do with it."""

from __future__ import annotations

import pytest
from plain_http import Answer, send
from small_node import SmallNode

from phems.gateway.request_limits import SECURITY_HEADERS

ROUTES = [
    *("/", "/runs", "/jobs", "/assets", "/deployment", "/graphql", "/graphiql", "/server_info"),
    *("/login", "/account", "/healthz", "/readyz", "/metrics", "/favicon.ico", "/robots.txt"),
    *("/static/phems.css", "/static/nothing.css", "/_next/static/nothing.js", "/vendor/nothing"),
    *("/logs/a/b.err", "/download_debug/a", "/notebook", "/report_asset_materialization/a", "/events"),
    *("/api", "/api/me", "/api/openapi.json", "/api/nothing", "/api/projects", "/../etc/passwd"),
    *("/dagit_info", "/manifest.json", "/nowhere", "/%00"),
]


def check(answer: Answer, path: str) -> None:
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers.get_all(name) == [value], (path, name)
    policies = answer.headers.get_all("Content-Security-Policy") or []
    assert any("frame-ancestors 'none'" in policy for policy in policies), path
    assert answer.headers["Server"] is None
    may_be_kept = path.startswith(("/static/", "/_next/static/", "/vendor/", "/favicon"))
    if answer.status >= 400 or not may_be_kept:
        assert answer.headers.get_all("Cache-Control") == ["no-store"], path


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_every_route_and_method_has_them(node: SmallNode, method: str) -> None:
    """One page without them is the one that an attacker frames, or a shared browser keeps."""
    streams = {"/events"}
    for path in ROUTES:
        for name in (None, "ana", "olga"):
            if path in streams and name and method == "GET":
                continue
            headers = {"Authorization": f"Bearer {node.tokens[name]}"} if name else {}
            check(send(node.port, method, path, headers), path)
            check(send(node.port, method, path, {**headers, "Accept": "text/html"}), path)


def test_real_files_have_them_too(node: SmallNode) -> None:
    headers = {"Authorization": f"Bearer {node.tokens['ana']}"}
    page = send(node.port, "GET", "/runs", headers).text
    script = page[page.index("/_next/static/") :].partition('"')[0]
    answer = send(node.port, "GET", script, headers)
    assert answer.status == 200
    assert "javascript" in answer.headers["Content-Type"]
    check(answer, script)
