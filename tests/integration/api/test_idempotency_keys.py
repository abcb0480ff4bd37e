"""Acts that are sent twice, at once, under one another's keys, or to a node that fails in between."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from tests.integration.api.api_site import ADDRESS, HUB, PROJECT, ApiSite
from tests.integration.api.stories import asked

from phems.bootstrap import Node
from phems.domain.idempotency import KEPT_FOR
from phems.errors import UnavailableError
from phems.gateway.api.document import operations
from phems.services.code_revisions import CodeRevisions
from phems.services.idempotency import IdempotencyKeys

SUBMIT = f"/projects/{PROJECT}/code-revisions"
REPLAYED = "Idempotent-Replayed"
SECRETS = ("token", "secret", "password", "code", "uri")


def under(key: str) -> dict[str, Any]:
    return {"headers": {"Idempotency-Key": key}}


def acts(site: ApiSite, action: str) -> int:
    return sum(entry.action == action for entry in site.entries())


def rows(site: ApiSite) -> list[Any]:
    with site.database.engine("owner").connect() as connection:
        return list(connection.execute(text("SELECT * FROM governance.idempotency_keys")))


def test_an_act_sent_twice_is_done_once_and_answered_twice(site: ApiSite) -> None:
    """A remark on a request whose answer was lost on the way must not stand there twice."""
    path = f"/release-requests/{asked(site)['id']}/comment"
    first, second = (site.post("ana", path, {"text": "Why?"}, **under("k1")) for _ in range(2))
    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert first.headers["ETag"] == second.headers["ETag"]
    assert (first.headers.get(REPLAYED), second.headers[REPLAYED]) == (None, "true")
    assert acts(site, "release.comment") == 1
    quoted = site.post("ana", path, {"text": "Why?"}, **under('"k1"'))
    assert quoted.headers[REPLAYED] == "true"
    again = site.post("ana", path, {"text": "Why?"}, **under("k2"))
    assert len(again.json()["comments"]) == 2


def test_a_refusal_is_told_again_and_not_decided_again(site: ApiSite) -> None:
    first, second = (site.post("omar", SUBMIT, **under("k1")) for _ in range(2))
    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert first.status_code == 403
    assert second.headers["Content-Type"] == "application/problem+json"
    assert second.headers[REPLAYED] == "true"


def test_a_key_of_another_act_is_refused(site: ApiSite) -> None:
    """A client that gives every act the same key would be told that all of them were done."""
    name = asked(site)["id"]
    path = f"/release-requests/{name}"
    assert site.post("ana", f"{path}/comment", {"text": "One"}, **under("k1")).status_code == 200
    for other, body in ((f"{path}/comment", {"text": "Two"}), (f"{path}/withdraw", {"text": "One"})):
        answer = site.post("ana", other, body, **under("k1"))
        assert answer.status_code == 422
        assert "used for another request" in answer.json()["what"]
    headers = {"Idempotency-Key": "k1", "If-Match": '"something"'}
    assert site.post("ana", f"{path}/comment", {"text": "One"}, headers=headers).status_code == 422
    assert acts(site, "release.comment") == 1


def test_a_key_is_of_who_sends_it(site: ApiSite) -> None:
    """Who guesses another's key must not be told what they were told."""
    path = f"/release-requests/{asked(site)['id']}/comment"
    mine = site.post("omar", path, {"text": "Hidden", "private": True}, **under("k1"))
    assert mine.status_code == 200
    theirs = site.post("ana", path, {"text": "Hidden", "private": True}, **under("k1"))
    assert theirs.headers.get(REPLAYED) is None
    assert site.post("nobody", path, {"text": "Hidden", "private": True}, **under("k1")).status_code == 404


@pytest.mark.parametrize("given", ["", "a b", "é".encode(), "a" * 256])
def test_what_is_no_key_is_an_error(site: ApiSite, given: Any) -> None:
    assert site.post("ana", SUBMIT, **under(given)).status_code == 400
    assert acts(site, "code.submit") == 0


def test_the_same_act_sent_while_it_is_done_waits_for_nobody(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An impatient client: the second request must neither act nor be told that all is done."""
    begun, go_on = threading.Event(), threading.Event()
    submit = CodeRevisions.submit

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return submit(*arguments)

    monkeypatch.setattr(CodeRevisions, "submit", slow)
    first: list[Any] = []
    thread = threading.Thread(target=lambda: first.append(site.post("ana", SUBMIT, **under("k1"))))
    thread.start()
    try:
        assert begun.wait(60)
        second = site.post("ana", SUBMIT, **under("k1"))
    finally:
        go_on.set()
        thread.join(60)
    assert (second.status_code, second.json()["type"]) == (409, "urn:phems:problem:refused")
    assert "being done" in second.json()["what"]
    assert second.headers["Retry-After"] == "1"
    assert first[0].status_code == 201
    assert site.post("ana", SUBMIT, **under("k1")).headers[REPLAYED] == "true"
    assert acts(site, "code.submit") == 1


def test_an_act_that_the_node_failed_to_begin_may_be_sent_again(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> Any:
        raise UnavailableError("The database cannot be reached; nothing was done.")

    with monkeypatch.context() as broken:
        broken.setattr(CodeRevisions, "submit", down)
        assert site.post("ana", SUBMIT, **under("k1")).status_code == 503
    answer = site.post("ana", SUBMIT, **under("k1"))
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)


def restarted(site: ApiSite) -> TestClient:
    """The node's API after a restart: nothing is remembered but what lies in the database and the keys."""
    from starlette.applications import Starlette

    from phems.gateway.app import assemble
    from phems.gateway.settings import settings_of

    node = Node(site.node.spec, site.node.paths, site.database)
    app = assemble(Starlette(), node.users, settings=settings_of(node.spec), cases=node)
    headers = {"Authorization": f"Bearer {site.tokens['ana']}"}
    return TestClient(app, base_url=ADDRESS, headers=headers, raise_server_exceptions=False)


class Killed(BaseException):
    """Stands for a process that is gone: nothing after it is done."""


def test_a_node_killed_after_the_act_does_not_act_again(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The act was committed, its answer was not kept: sent again, it must not be done again."""
    path = f"/release-requests/{asked(site)['id']}/comment"

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as crash:
        crash.setattr(IdempotencyKeys, "end", killed)
        with suppress(Killed):
            site.post("ana", path, {"text": "Once"}, **under("k1"))
    assert acts(site, "release.comment") == 1
    answer = restarted(site).post(f"/api{path}", json={"text": "Once"}, **under("k1"))
    assert answer.status_code == 409
    assert "its answer is lost" in answer.json()["what"]
    assert acts(site, "release.comment") == 1


def test_a_node_killed_before_the_act_acts_when_asked_again(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was committed: whoever sends it again must not be told to go and look."""

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as crash:
        crash.setattr(IdempotencyKeys, "end", killed)
        crash.setattr(CodeRevisions, "submit", killed)
        with suppress(Killed):
            site.post("ana", SUBMIT, **under("k1"))
    assert len(rows(site)) == 1
    answer = restarted(site).post(f"/api{SUBMIT}", json={}, **under("k1"))
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)


def test_a_slow_act_whose_key_was_taken_over_is_rolled_back(
    site: ApiSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two gateways, or one that was believed dead: of one act that both do, one is done."""
    path = f"/release-requests/{asked(site)['id']}/comment"
    other: list[Any] = []
    comment = type(site.node.releases).comment

    def overtaken(*arguments: Any, **options: Any) -> Any:
        if not other:
            other.append(None)
            other[0] = restarted(site).post(f"/api{path}", json={"text": "Once"}, **under("k1"))
        return comment(*arguments, **options)

    monkeypatch.setattr(type(site.node.releases), "comment", overtaken)
    slow = site.post("ana", path, {"text": "Once"}, **under("k1"))
    assert other[0].status_code == 200
    assert (slow.status_code, acts(site, "release.comment")) == (409, 1)
    assert "sent again meanwhile" in slow.json()["what"]
    replayed = site.post("ana", path, {"text": "Once"}, **under("k1"))
    assert (replayed.status_code, replayed.headers[REPLAYED]) == (200, "true")


def test_a_secret_is_told_once_and_kept_nowhere(site: ApiSite) -> None:
    """A copy of the database must let nobody in, not even for a day."""
    for path, action in (("/users/ana/tokens", "user.issue_token"), (f"/coordinators/{HUB}/tokens", None)):
        made = site.post("olga", path, {"days": 1}, **under(f"key-of-{path}"))
        assert made.status_code == 201
        again = site.post("olga", path, {"days": 1}, **under(f"key-of-{path}"))
        assert again.status_code == 409
        assert "shown once" in again.json()["why"]
        assert made.json()["token"] not in str(rows(site))
        if action is not None:
            assert sum(entry.actor == "olga" and entry.action == action for entry in site.entries()) == 1
    site.post("olga", "/users/ana/password", {"password": "words that nobody knows"}, **under("k1"))
    said = str(rows(site))
    assert "words that nobody knows" not in said
    assert "k1" not in said


def test_answers_with_secrets_are_marked_as_such(site: ApiSite) -> None:
    """A route that gives a secret and is not marked has it lie in the database for a day."""
    document = site.get("ana", "/openapi.json").json()
    for _, method, operation in operations(document):
        answer = next(iter(operation["responses"].values())).get("content", {}).get("application/json", {})
        name = answer.get("schema", {}).get("$ref", "").rpartition("/")[2]
        members = document["components"]["schemas"].get(name, {}).get("properties", {})
        texts = [member for member, schema in members.items() if schema.get("type") != "boolean"]
        if method == "post" and any(word in text.split("_") for text in texts for word in SECRETS):
            assert operation.get("x-gives-secret"), (operation["operationId"], texts)


def test_keys_are_forgotten_after_their_time(site: ApiSite) -> None:
    assert site.post("ana", SUBMIT, **under("k1")).status_code == 201
    with site.database.engine("owner").begin() as connection:
        aged = text("UPDATE governance.idempotency_keys SET used_at = used_at - CAST(:age AS interval)")
        connection.execute(aged, {"age": KEPT_FOR + timedelta(minutes=1)})
    assert site.post("omar", SUBMIT, **under("other")).status_code == 403
    assert [row.caller for row in rows(site)] == ["omar"]


def test_every_act_takes_a_key_and_says_so(site: ApiSite) -> None:
    for _, method, operation in operations(site.get("ana", "/openapi.json").json()):
        names = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert ("Idempotency-Key" in names) is (method == "post"), operation["operationId"]
        assert {"409", "422"} <= set(operation["responses"]) or method == "get"
