"""A running node tells people that they are waited for, and its commands set where."""

from __future__ import annotations

from plain_http import send
from small_node import PROJECT, WEBHOOK_SECRET, SmallNode, commit_code, until
from tests.receivers import mail_server, webhook_receiver

from phems.adapters.notification_webhook import SIGNATURE, TIMESTAMP, signature
from phems.domain.actors import LOCAL_OPERATOR, Actor

CANARY = "CANARY_PATIENT_7f3a9"
ADDRESS = "iris@hospital.example"


def test_an_owner_gets_a_link_that_leads_to_what_waits(node: SmallNode) -> None:
    """Otherwise code and results lie for days: nobody looks at a page without a reason."""
    running = node.serving.node
    running.users.set_email(LOCAL_OPERATOR, "iris", ADDRESS)
    commit_code(node.folder / "code" / PROJECT, f"# {CANARY}\n")
    with mail_server(node.smtp_port) as mailbox, webhook_receiver(node.hook_port) as hooks:
        revision = running.code_revisions.submit(Actor("ana"), PROJECT)
        link = f"{node.url}/projects/{PROJECT}/code/{revision.commit}"
        until(lambda: [each for each in mailbox.to(ADDRESS) if link in each.get_payload()])
        until(lambda: [body for _, body in hooks.taken if link in body.decode()])
        running.code_revisions.reject(Actor("iris"), PROJECT, revision.commit, reason="A test")
        (message,) = [each for each in mailbox.to(ADDRESS) if link in each.get_payload()]
        ((headers, body),) = [each for each in hooks.taken if link in each[1].decode()]
    assert headers[SIGNATURE] == f"sha256={signature(WEBHOOK_SECRET, headers[TIMESTAMP], body)}"
    assert CANARY not in message.as_string() + body.decode()
    signed = {"Authorization": f"Bearer {node.tokens['iris']}"}
    assert send(node.port, "GET", link.removeprefix(node.url), signed).status == 200


def test_the_audit_log_is_told_that_there_is_an_address_and_not_which(node: SmallNode) -> None:
    """It is kept for ever; an address is a person's."""
    node.serving.node.users.set_email(LOCAL_OPERATOR, "omar", "omar@hospital.example")
    entries = [line.decode() for line in node.serving.node.audit.export(Actor("aud"))]
    told = [line for line in entries if '"user.set_email"' in line]
    assert '"has_email":true' in told[-1]
    assert "omar@hospital.example" not in "".join(entries)
