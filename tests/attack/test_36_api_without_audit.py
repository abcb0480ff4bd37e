"""Case 36, over the API: with no room for the audit log no act is done and nothing is handed out."""

from __future__ import annotations

from typing import Any

import pytest
from attacked_node import WARD, AttackedNode
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_36_audit_store_full import table_without_room

from phems.adapters.signing import signature_matches
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.votes import Vote
from phems.gateway.app import assemble
from phems.gateway.settings import settings_of
from phems.services.audit_export import verify_lines
from phems.services.release_files import Choice
from phems.services.releases import Case

HUB = "hub"
AUDE = Actor("aude")
CASE = Case("A table of counts.", "No counts below ten.")


class Api:
    """The API of the attacked node, asked by its people."""

    def __init__(self, site: AttackedNode) -> None:
        self.node = site.serving.node
        self._app = assemble(
            Starlette(), self.node.users, settings=settings_of(self.node.spec), cases=self.node
        )
        self._tokens = {}
        for who in ("ana", "carol", "dmitri", "wei", "olga", "aude"):
            self.node.users.add_user(LOCAL_OPERATOR, who)
            self._tokens[who] = self.node.users.issue_token(LOCAL_OPERATOR, who).secret
        object.__setattr__(self.node.spec.projects[WARD].members, "coordinator", (HUB,))
        self._tokens[HUB] = self.node.coordinators.issue_token(LOCAL_OPERATOR, HUB).secret

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        client = TestClient(self._app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        return client.request(method, f"/api{path}", json=body, headers=headers)


@pytest.fixture
def api(own_site: AttackedNode) -> Api:
    return Api(own_site)


def released(site: AttackedNode) -> tuple[str, str]:
    """A request that was released, and one that waits for votes."""
    node = site.serving.node
    names = []
    for number in (1, 2):
        run_id = f"run-{number}"
        path = f"outputs/{run_id}/counts.csv"
        place = site.data / "artifacts" / WARD / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("sex,patients\nf,120\nm,140\n")
        node.outputs.register_output(WARD, run_id, "count", path)
        names.append(node.releases.request(Actor("ana"), WARD, Choice(run_id), CASE).request.id)
    for checker in ("carol", "dmitri"):
        node.releases.vote(Actor(checker), names[0], Vote.APPROVED, justification="Looked at by hand")
    node.publisher.publish_approved()
    return names[0], names[1]


def test_nothing_is_done_and_nothing_is_handed_out_without_an_entry(own_site: AttackedNode, api: Api) -> None:
    """Otherwise what matters most happens while nobody can see it: while the log cannot be written."""
    gone, waiting = released(own_site)
    file = api.ask("carol", "GET", f"/release-requests/{waiting}").json()["files"][0]["path"]
    vote = {"turn": 1, "votes": [{"path": file, "vote": "APPROVED", "justification": "By hand"}]}
    asked = (
        ("ana", "POST", f"/projects/{WARD}/code-revisions", {}),
        ("carol", "POST", f"/release-requests/{waiting}/vote", vote),
        ("carol", "POST", f"/release-requests/{waiting}/comment", {"text": "A remark"}),
        ("carol", "POST", f"/release-requests/{waiting}/return", {"turn": 1, "reason": "Round the counts"}),
        ("wei", "POST", f"/release-requests/{gone}/revoke", {"reason": "A count was wrong"}),
        ("olga", "POST", "/users", {"name": "mallory"}),
        ("olga", "POST", "/users/ana/tokens", {}),
        ("olga", "POST", f"/coordinators/{HUB}/tokens", {}),
        ("carol", "GET", f"/release-requests/{waiting}/file?path={file}", None),
        ("ana", "GET", f"/release-requests/{gone}/package", None),
        (HUB, "GET", f"/releases/{gone}/package", None),
        ("aude", "GET", "/audit/entries", None),
    )
    seen = api.ask("carol", "GET", f"/release-requests/{waiting}").json()
    before = len(own_site.audit())
    with table_without_room(own_site):
        for who, method, path, body in asked:
            answer = api.ask(who, method, path, body)
            assert answer.status_code == 503, f"{path}: {answer.status_code} {answer.text[:300]}"
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert "patients" not in answer.text
        assert api.ask("carol", "GET", f"/release-requests/{waiting}").json() == seen
    assert len(own_site.audit()) == before
    assert "mallory" not in {user.name for user in api.node.users.list_users()}
    assert api.ask("wei", "GET", f"/release-requests/{gone}").json()["state"] == "RELEASED"
    for who, method, path, body in asked:
        assert api.ask(who, method, path, body).status_code in {200, 201, 403, 404}, path
    exported = list(api.node.audit.export(AUDE))
    assert verify_lines(lambda: exported, check=signature_matches).ok, "the log has no gap"
