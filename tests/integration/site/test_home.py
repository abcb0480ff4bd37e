"""My work: what waits for a person stands first, in words that lead to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import event
from tests.integration.api.api_site import PROJECT
from tests.integration.api.stories import asked, voted
from tests.integration.site.browsed_site import BrowsedSite

from phems.domain.actors import Actor
from phems.domain.canonical import digest
from phems.domain.capsules import CodeFacts, RunFacts, capsule_document
from phems.services.ports.runs import CapsuleDocument

MANY = 300


def test_files_that_wait_for_a_vote_lead_to_it(site: BrowsedSite) -> None:
    """Otherwise checkers have to look for what is theirs to do."""
    request = asked(site)
    page = site.browser("omar").get("/").text
    assert f"1 file waits for your vote in {request['id']}" in page
    assert f'href="/releases/{request["id"]}"' in page
    assert "waits for your vote" not in site.browser("ana").words("/")
    assert f"Release request {request['id']}" in site.browser("ana").words("/")
    voted(site, "omar", request)
    assert "Nothing waits for you." in site.browser("omar").words("/")


def test_a_returned_request_waits_for_its_author(site: BrowsedSite) -> None:
    request = asked(site)
    site.post("omar", f"/release-requests/{request['id']}/return", {"reason": "round more", "turn": 1})
    assert f"Your request {request['id']} was returned" in site.browser("ana").words("/")


def test_a_code_revision_waits_for_owners_of_its_project_alone(site: BrowsedSite) -> None:
    """Otherwise people of another project would learn of it."""
    commit = site.post("ana", f"/projects/{PROJECT}/code-revisions").json()["commit"]
    page = site.browser("iris").get("/").text
    assert "A code revision of heart-attack waits for your approval" in page
    assert f"/projects/{PROJECT}/code/{commit}" in page
    assert "heart-attack" not in site.browser("ben").words("/")


def test_a_run_capsule_waits_for_an_owner(site: BrowsedSite) -> None:
    facts = RunFacts("run-9", PROJECT, "survival", "plan", "{}", ())
    document = capsule_document(facts, CodeFacts("d" * 64, None), {}, policy_version="1:abc")
    with site.node.governance.transaction() as work:
        capsule = CapsuleDocument(digest(document), PROJECT, document)
        site.node.capsules.ask(work, capsule, requester=Actor("ana"))
    assert "A run capsule of heart-attack waits for your approval" in site.browser("iris").words("/")
    assert "Run capsule" in site.browser("ana").words("/")


def test_the_api_says_the_same(site: BrowsedSite) -> None:
    request = asked(site)
    [task] = site.get("omar", "/me/waiting").json()["tasks"]
    assert (task["kind"], task["subject"], task["count"]) == ("vote", request["id"], 1)
    assert site.get("nobody", "/me/waiting").json() == {"tasks": [], "underway": [], "failed_runs": []}


def test_the_first_page_asks_as_much_of_the_database_for_many_requests_as_for_one(site: BrowsedSite) -> None:
    """Otherwise the page that everybody opens first would grow slower with each request."""
    request = asked(site)
    one = _queries(site, "omar")
    with site.node.governance.transaction() as work:
        whole = work.releases.get(request["id"])
        assert whole is not None
        for number in range(MANY):
            name = f"rr-{_letters(number)}"
            work.releases.save(replace(whole, id=name, requested_at=datetime(2026, 11, 2, tzinfo=UTC)))
    assert len(site.node.my_work.of(Actor("omar")).tasks) == MANY + 1
    assert _queries(site, "omar") == one


def _queries(site: BrowsedSite, who: str) -> int:
    found = []
    engines = [site.database.engine("governance"), site.database.engine("dagster")]

    def count(*_: object) -> None:
        found.append(1)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", count)
    try:
        site.node.my_work.of(Actor(who))
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", count)
    return len(found)


def _letters(number: int) -> str:
    text = ""
    for _ in range(8):
        number, rest = divmod(number, 26)
        text += chr(ord("a") + rest)
    return text
