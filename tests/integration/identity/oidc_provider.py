"""The real provider, started; and a browser without a screen, that signs in at it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from tests.npm_packages import npm_packages

PROVIDER = Path(__file__).parent / "provider"
SECRET = "a secret of the tests alone"
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "s-ana": {"preferred_username": "Ana", "groups": ["research"]},
    # The provider asks nobody whether this is his.
    "s-omar": {
        "preferred_username": "omar",
        "groups": ["checkers"],
        "email": "lola@hospital.example",
        "email_verified": False,
    },
    "s-iris": {
        "preferred_username": "iris",
        "groups": [],
        "email": "iris@hospital.example",
        "email_verified": True,
    },
    "s-olga": {"preferred_username": "olga", "groups": ["operators"]},
    "s-none": {"preferred_username": "no one here", "groups": []},
    "s-taken": {"preferred_username": "lola", "groups": ["operators"]},
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_provider(redirect_uri: str, port: int) -> Iterator[str]:
    """The provider, until the end of the block; gives its issuer."""
    command = ["node", str(PROVIDER / "provider.mjs"), str(port), redirect_uri, json.dumps(PEOPLE)]
    process = subprocess.Popen(
        command,
        cwd=npm_packages(PROVIDER / "package.json", "oidc"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any(line.strip() == "ready" for line in process.stdout), "the provider did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


class Browser:
    """Follows redirects and fills in forms, over real HTTP, with a cookie jar for each site."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=60, headers={"Accept": "text/html"})

    def get(self, address: str, **options: Any) -> httpx.Response:
        """One request, without following where it leads."""
        return self._client.get(address, **options)

    def post(self, address: str, fields: Mapping[str, str], origin: str) -> httpx.Response:
        """A form of a site's own page."""
        return self._client.post(address, data=dict(fields), headers={"Origin": origin})

    def cookie(self, name: str) -> str:
        """What the browser keeps under a name."""
        return str(self._client.cookies[name])

    def signs_in(self, node: str, subject: str, next_path: str = "/account") -> httpx.Response:
        """The whole way: the node, the provider's pages, and back; gives the node's last answer."""
        return self.get(self.comes_back_to(node, subject, next_path))

    def comes_back_to(self, node: str, subject: str, next_path: str = "/account") -> str:
        """Sign in at the provider; gives the address that it sends the browser back to."""
        answer = self.get(f"{node}/login/oidc", params={"next": next_path})
        assert answer.status_code == 303, answer.text
        where = answer.headers["location"]
        for _ in range(12):
            if where.startswith(node):
                return where
            answer = self._client.get(where)
            while answer.status_code == 200:
                action = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
                assert action, answer.text
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                assert prompt, answer.text
                fields = {"prompt": prompt[1], "login": subject, "password": "anything"}
                answer = self._client.post(urljoin(str(answer.url), action[1]), data=fields)
            assert answer.is_redirect, f"{answer.status_code} {answer.text[:2000]}"
            where = urljoin(str(answer.url), answer.headers["location"])
        raise AssertionError("the provider sends the browser round in circles")
