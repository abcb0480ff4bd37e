"""Case 7: a header that says who somebody is, or where they come from, changes nothing on a whole node."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from attacked_node import write_node_repo

from phems.domain.actors import LOCAL_OPERATOR
from phems.gateway.inbound_headers import STRIPPED_NAMES, STRIPPED_PREFIXES
from phems.serve import ServingNode

FORGED = sorted(
    {name.decode() for name in STRIPPED_NAMES}
    | {prefix.decode() + "user" for prefix in STRIPPED_PREFIXES}
    | {"x-forwarded-for", "x-forwarded-host", "remote_user", "x_forwarded_user"}
)
PATHS = ("/", "/runs", "/api/me", "/account", "/server_info", "/audit")


@dataclass
class Reached:
    """A node with a gateway, and the token of somebody who is no operator."""

    port: int
    token: str
    serving: ServingNode

    def ask(self, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST" if body else "GET", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def reached(sandbox: None) -> Iterator[Reached]:
    """A node that serves its gateway, which names no proxy."""
    folder = Path(tempfile.mkdtemp(prefix="phems-"))
    folder.chmod(0o755)
    write_node_repo(folder / "site")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serving = ServingNode(folder / "site", port=port)
    try:
        serving.start()
        serving.node.users.add_user(LOCAL_OPERATOR, "mallory", "four plain words here")
        yield Reached(port, serving.node.users.issue_token(LOCAL_OPERATOR, "mallory").secret, serving)
    finally:
        serving.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("who", ["ana", "olga", "node", "local-operator"])
def test_nobody_is_let_in_by_a_header(reached: Reached, who: str) -> None:
    """Many programs trust the one that their proxy sets: here it would open a hospital's data to all."""
    for path in PATHS:
        for value in (who, f"{who}@hospital.example"):
            status, _ = reached.ask(path, dict.fromkeys(FORGED, value))
            assert status in {401, 403}, path


def test_a_known_person_stays_who_they_are(reached: Reached) -> None:
    """Somebody with a token of their own must not launch, approve or read in another's name."""
    own = {"Authorization": f"Bearer {reached.token}"}
    plain = reached.ask("/api/me", own)
    assert json.loads(plain[1])["name"] == "mallory"
    for name in FORGED:
        assert reached.ask("/api/me", {**own, name: "olga"}) == plain, name


def test_an_address_that_is_made_up_opens_nothing(reached: Reached) -> None:
    """Programs on this machine may read the numbers of the node: a header does not make one."""
    assert reached.ask("/metrics", {})[0] == 200
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        assert reached.ask("/metrics", {name: "127.0.0.1"})[0] == 401
