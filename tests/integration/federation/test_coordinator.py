"""The example's coordinator before outboxes: packages that are really signed, over HTTP, and what it refuses.

An outbox is a plain HTTP server here: whoever stands between node and coordinator could answer like that.
"""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from examples.federation.coordinator.__main__ import main
from examples.federation.coordinator.models import read_model, version_of
from tests.package_facts import FACTS, NOW, REQUEST, RUN

from phems.adapters.release_package.dsse import DssePackageSigner
from phems.adapters.release_package.readme import write_readme
from phems.adapters.signing import SigningKey
from phems.domain.canonical import sha256
from phems.domain.release_packages import MANIFEST
from phems.domain.release_states import ReleaseAction
from phems.domain.releases import FrozenFile, acted
from phems.services.package_parts import PackageParts

PROJECT, CODE = "one-year-death", "d" * 64
KEYS = {
    name: DssePackageSigner(SigningKey(Ed25519PrivateKey.from_private_bytes(seed * 32)))
    for name, seed in (("alder", b"\1"), ("birch", b"\2"), ("mallory", b"\3"))
}


class _NoRuns:
    def times(self, run_id: str) -> None: ...


@dataclass
class Hub:
    """A coordinator's folder, and the outboxes that it asks: for each node its lines and packages."""

    folder: Path
    lines: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: {"alder": [], "birch": []})
    packages: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def release(self, node: str, request: str, number: int, **changes: Any) -> None:
        """A node releases an update of a round: as it should, but for `changes`."""
        self.lines[node].append((request, "RELEASED"))
        self.packages[node, request] = _package(self.folder, node, request, number, **changes)

    def says(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
        """The exit code of a command, and what it says."""
        code = main(["--folder", str(self.folder), *words])
        told = capsys.readouterr()
        return code, told.out + told.err


def _package(
    folder: Path,
    node: str,
    request: str,
    number: int,
    *,
    signer: str = "",
    coefficient: float = 1.0,
    content: bytes | None = None,
    code: str = CODE,
    data: dict[str, str] | None = None,
    project: str = PROJECT,
    revoked: bool = False,
    swapped: bytes | None = None,
    signed_as: str = "",
) -> bytes:
    if content is None:
        coefficients = {"intercept": coefficient, "age": 2.0}
        patients = {"alder": 300, "birch": 100}[node]
        content = json.dumps({"round": number, "patients": patients, "coefficients": coefficients}).encode()
    path = f"outputs/{RUN}/update.json"
    file = FrozenFile(path, sha256(content), len(content), "application/json", RUN, "step")
    votes = tuple(replace(vote, path=path, justification="") for vote in REQUEST.votes[2:4])
    asked = replace(
        REQUEST, id=signed_as or request, project=project, files=(file,), votes=votes, runs=REQUEST.runs[:1]
    )
    data = {"global-model": version_of(folder, number)} if data is None else data
    run = replace(FACTS.runs[0], origin=replace(REQUEST.runs[0], digest=code), data=data)
    facts = replace(FACTS, request=asked, report=None, runs=(run,))
    maker = PackageParts(FACTS.node, KEYS[signer or node], write_readme, _NoRuns())
    parts: dict[str, bytes] = {**maker.make(facts)}
    if revoked:
        released = replace(
            acted(asked, ReleaseAction.RELEASE, by="publisher", at=NOW),
            package_digest=sha256(parts[MANIFEST]),
        )
        ended = acted(released, ReleaseAction.REVOKE, by="ida", at=NOW, reason="A patient objected")
        parts |= maker.revocation(ended, parts["attestation.dsse.json"])
    return _tar({**parts, "files/update.json": content if swapped is None else swapped}, request)


def _tar(files: dict[str, bytes], request: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{request}/{path}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Hub]:
    """A federation of two nodes that has begun."""
    hub = Hub(tmp_path)

    class Outboxes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            _, node, *rest = path.split("/")
            assert self.headers["Authorization"] == f"Bearer token of {node}"
            if rest[-1] == "package":
                body = hub.packages[node, rest[-2]]
            else:
                after = int(query.removeprefix("cursor=") or 0)
                lines = hub.lines[node]
                items = [{"request": name, "state": state} for name, state in lines[after:]]
                body = json.dumps({"items": items, "next_cursor": str(len(lines)), "more": False}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    (tmp_path / "tokens").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Outboxes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        nodes = {}
        for name in reversed(hub.lines):  # what birch sends is looked at first
            (tmp_path / "tokens" / name).write_text(f"token of {name}\n")
            url = f"http://127.0.0.1:{server.server_port}/{name}"
            nodes[name] = {"url": url, "project": PROJECT, "public_key": KEYS[name].public_key}
        agreed = {"coefficients": ["intercept", "age"], "code_digest": CODE, "nodes": nodes}
        (tmp_path / "federation.json").write_text(json.dumps(agreed))
        assert hub.says(capsys, "begin")[0] == 0
        yield hub
        server.shutdown()


def test_two_rounds_are_averaged_and_a_revoked_update_ends_the_federation(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise there is no federation; or what a hospital has called back stays in everybody's model."""
    hub.release("alder", "rr-aaaaaaaa", 1, coefficient=1.0)
    hub.release("birch", "rr-bbbbbbbb", 1, coefficient=5.0)
    code, said = hub.says(capsys, "round", "1")
    assert code == 0, said
    assert read_model(hub.folder, 2) == {"intercept": 2.0, "age": 2.0}
    assert json.loads(said)["next_version"] == version_of(hub.folder, 2)

    code, said = hub.says(capsys, "round", "2")
    assert (code, "birch has sent no update" in said) == (5, True), said
    hub.release("birch", "rr-dddddddd", 2)
    code, said = hub.says(capsys, "round", "2")
    assert (code, "alder has sent no update" in said) == (5, True), said
    assert not (hub.folder / "rounds" / "3").exists()
    hub.release("alder", "rr-cccccccc", 2)
    assert hub.says(capsys, "round", "2")[0] == 0
    assert hub.says(capsys, "round", "2")[0] == 0  # once more, and nothing changes

    hub.lines["birch"].append(("rr-bbbbbbbb", "REVOKED"))
    code, said = hub.says(capsys, "round", "3")
    assert (code, "birch has revoked rr-bbbbbbbb, its update of round 1" in said) == (4, True), said


Bad = Callable[[Hub], None]
BAD: dict[str, tuple[Bad, int, str]] = {
    "bad-signature": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, signer="mallory"),
        6, "step 2 of 8, it was sealed with this key",
    ),
    "the-other-nodes-key": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, signer="alder"),
        6, "step 2 of 8, it was sealed with this key",
    ),
    "changed-on-the-way": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, swapped=b'{"round": 2}'),
        6, "step 6 of 8, every file has the SHA-256 that was signed",
    ),
    "older-round-by-its-file": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 1),
        6, "it began from the model of round 1, and this is round 2",
    ),
    "older-round-that-calls-itself-newer": (
        lambda hub: hub.release(
            "birch", "rr-bbbbbbbb", 2, data={"global-model": version_of(hub.folder, 1)}
        ),
        6, "it began from the model of round 1, and this is round 2",
    ),
    "another-request-under-this-name": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, signed_as="rr-zzzzzzzz"),
        6, "it is rr-zzzzzzzz of one-year-death",
    ),
    "no-model-of-the-federation": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, data={}),
        6, "it did not begin from the model of round 2",
    ),
    "other-code": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, code="e" * 64),
        6, "it ran the code eeeeeeeeeeee, not dddddddddddd",
    ),
    "other-project": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, project="heart-attack"),
        6, "of heart-attack",
    ),
    "wrong-shape": (
        lambda hub: hub.release(
            "birch", "rr-bbbbbbbb", 2,
            content=b'{"round": 2, "patients": 100, "coefficients": {"intercept": 1}}',
        ),
        6, "its coefficients must be intercept, age",
    ),
    "nan": (
        lambda hub: hub.release(
            "birch", "rr-bbbbbbbb", 2,
            content=b'{"round": 2, "patients": 100, "coefficients": {"intercept": NaN, "age": 1}}',
        ),
        6, "it holds NaN, which is no number",
    ),
    "revoked-while-it-was-fetched": (
        lambda hub: hub.release("birch", "rr-bbbbbbbb", 2, revoked=True),
        4, "revoked",
    ),
}  # fmt: skip


def test_what_is_not_an_update_of_this_round_is_refused(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise who sits between them, or has the key of one, decides what everybody's model is."""
    for node in hub.lines:
        hub.release(node, "rr-first" + node[:1] * 3, 1)
    assert hub.says(capsys, "round", "1")[0] == 0
    hub.release("alder", "rr-aaaaaaaa", 2)
    for name, (bad, exit_code, why) in BAD.items():
        bad(hub)
        code, said = hub.says(capsys, "round", "2")
        assert (code, why in said) == (exit_code, True), f"{name}: {code} {said}"
        assert "rr-bbbbbbbb of birch is not taken" in said or "The update of birch" in said, f"{name}: {said}"
        assert not (hub.folder / "rounds" / "3").exists(), name
        del hub.lines["birch"][1:]

    for request in ("rr-bbbbbbbb", "rr-cccccccc"):
        hub.release("birch", request, 2)
    code, said = hub.says(capsys, "round", "2")
    assert (code, "birch has sent 2 packages" in said) == (6, True), said

    del hub.lines["birch"][2:]
    hub.packages["birch", "rr-bbbbbbbb"] = _tar({"../../outside.json": b"{}"}, "rr-bbbbbbbb")
    code, said = hub.says(capsys, "round", "2")
    assert (code, "is not taken" in said) == (6, True), said
    assert not list(hub.folder.rglob("outside.json"))
    hub.packages["birch", "rr-bbbbbbbb"] = b"\0" * (2 << 20)
    code, said = hub.says(capsys, "round", "2")
    assert (code, "larger than" in said) == (6, True), said

    del hub.lines["birch"][1:]
    hub.release("birch", "rr-bbbbbbbb", 2)
    assert hub.says(capsys, "round", "2")[0] == 0  # the round stayed open all the while


def test_a_node_that_does_not_answer_and_a_round_that_is_not_there_are_told(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise a coordinator's operator reads a traceback."""
    code, said = hub.says(capsys, "round", "2")
    assert (code, "There is no round 2 yet" in said) == (3, True), said
    agreed = json.loads((hub.folder / "federation.json").read_text())
    agreed["nodes"]["birch"]["url"] = "http://127.0.0.1:9"
    (hub.folder / "federation.json").write_text(json.dumps(agreed))
    code, said = hub.says(capsys, "round", "1")
    assert (code, "ConnectError" in said) == (5, True), said
    (hub.folder / "tokens" / "alder").unlink()
    code, said = hub.says(capsys, "round", "1")
    assert (code, "does not say what was agreed on" in said) == (2, True), said
