"""Webhooks of a Code Repo's server: a signed one has the project brought in step, no other does anything."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from plain_http import Answer, send
from small_node import OTHER, PROJECT, WEBHOOK_SECRET, SmallNode, commit_code, until

from phems.domain.actors import Actor
from phems.domain.audit import Entry

PUSH = json.dumps({"ref": "refs/heads/main", "after": "f" * 40}).encode()
TYPE = {"Content-Type": "application/json"}


def signed(body: bytes = PUSH, secret: str = WEBHOOK_SECRET, kind: str = "sha256") -> dict[str, str]:
    code = hmac.new(secret.encode(), body, kind).hexdigest()
    return {**TYPE, "X-Hub-Signature-256": f"{kind}={code}"}


def deliver(
    node: SmallNode, headers: Mapping[str, str], body: bytes = PUSH, project: str = PROJECT
) -> Answer:
    return send(node.port, "POST", f"/webhooks/code/{project}", dict(headers), body)


def entries(node: SmallNode, action: str) -> list[Entry]:
    with node.serving.node.governance.transaction() as work:
        return [entry for entry in work.audit.entries() if entry.action == action]


def pointer(node: SmallNode, project: str = PROJECT) -> Path:
    return node.serving.paths.code_mount(project) / "current"


@pytest.fixture
def secret_file(node: SmallNode) -> Iterator[Path]:
    """The file with the secret, as it was again at the end."""
    file = node.folder / "webhook.secret"
    yield file
    file.write_text(f"{WEBHOOK_SECRET}\n")
    file.chmod(0o600)


def test_a_signed_webhook_has_the_project_brought_in_step(node: SmallNode) -> None:
    """A volume came up empty: what is approved is there again after a push, without anybody at the node."""
    for project in (PROJECT, OTHER):
        pointer(node, project).unlink(missing_ok=True)
    answer = deliver(node, signed())
    assert (answer.status, answer.json()) == (202, {"status": "accepted"})
    until(pointer(node).is_symlink)
    until(lambda: entries(node, "code.sync"))
    last = entries(node, "code.webhook")[-1]
    assert (last.project, last.details) == (PROJECT, {"address": "127.0.0.1"})
    assert not pointer(node, OTHER).exists(), "another project was brought in step"


def test_gitlab_sends_the_secret_itself(node: SmallNode) -> None:
    assert deliver(node, {**TYPE, "X-Gitlab-Token": WEBHOOK_SECRET}).status == 202
    assert deliver(node, {**TYPE, "X-Gitlab-Token": WEBHOOK_SECRET[:-1]}).status == 401


def test_nobody_learns_from_the_answer_which_projects_there_are(node: SmallNode) -> None:
    """Whoever can send a request could otherwise list the research of a hospital."""
    before = len(entries(node, "code.webhook"))
    right = signed()["X-Hub-Signature-256"]
    other_body = signed(b"{}")
    token = {"X-Gitlab-Token": WEBHOOK_SECRET}
    answers = [
        deliver(node, TYPE),
        deliver(node, other_body),
        deliver(node, signed(secret="another secret of somebody")),
        deliver(node, signed(kind="sha1")),
        deliver(node, {"X-Hub-Signature-256": right.removeprefix("sha256=")}),
        deliver(node, {"X-Hub-Signature-256": ""}),
        deliver(node, {"X-Hub-Signature": right}),
        deliver(node, {**signed(), **token}),
        deliver(node, {"X-Hub-Signature-256": f"{right}\xff"}),
        deliver(node, {"X-Gitlab-Token": ""}),
        deliver(node, signed(), project=OTHER),
        deliver(node, signed(), project="no-such-project"),
        deliver(node, token, project="no-such-project"),
        deliver(node, signed(), body=b"", project="%2e%2e"),
        deliver(node, {**TYPE, "Authorization": f"Bearer {node.tokens['olga']}"}),
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    varied = {"date", "x-request-id"}
    seen = {
        tuple(sorted((k.lower(), v) for k, v in answer.headers.items() if k.lower() not in varied))
        for answer in answers
    }
    assert len(seen) == 1
    assert len(entries(node, "code.webhook")) == before


def test_sent_again_it_approves_nothing_and_brings_nothing_that_is_not_approved(node: SmallNode) -> None:
    """Somebody recorded a delivery: played a hundred times it must do what it did once."""
    revisions = node.serving.node.code_revisions
    commit_code(node.folder / "code" / PROJECT, "# not approved\n")
    submitted = revisions.submit(Actor("ana"), PROJECT)
    before = [(each.commit, each.state) for each in revisions.list(Actor("ana"), PROJECT)]
    synced = len(entries(node, "code.webhook"))
    assert {deliver(node, signed()).status for _ in range(20)} == {202}
    until(lambda: len(entries(node, "code.webhook")) > synced)
    assert [(each.commit, each.state) for each in revisions.list(Actor("ana"), PROJECT)] == before
    assert not node.serving.node.code_mount.path(PROJECT, submitted.digest).exists()


def test_another_secret_counts_at_once_and_one_that_is_open_to_all_never(
    node: SmallNode, secret_file: Path
) -> None:
    """It is changed because it was lost: until a restart would be too long."""
    secret_file.write_text("another-secret-that-is-long-enough")
    assert deliver(node, signed()).status == 401
    assert deliver(node, signed(secret="another-secret-that-is-long-enough")).status == 202
    secret_file.write_text("short")
    assert deliver(node, signed(secret="short")).status == 401
    secret_file.write_text(WEBHOOK_SECRET)
    secret_file.chmod(0o644)
    assert deliver(node, signed()).status == 401
    secret_file.unlink()
    assert deliver(node, signed(secret="")).status == 401


def test_only_a_post_of_a_size_is_a_webhook(node: SmallNode) -> None:
    assert send(node.port, "GET", f"/webhooks/code/{PROJECT}", signed()).status == 401
    assert send(node.port, "POST", f"/webhooks/code/{PROJECT}/x", signed(), PUSH).status == 401
    assert send(node.port, "POST", "/webhooks/code/", signed(), PUSH).status == 401
    large = b"x" * (5 * 1024 * 1024)
    assert deliver(node, signed(large), large).status == 413
    foreign = {"Cookie": "phems_session=x", "Origin": "https://evil.example"}
    assert deliver(node, {**signed(), **foreign}).status == 403
