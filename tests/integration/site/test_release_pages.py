"""A release request as people take it through its pages: what they see and do, and what they do not see."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.api.api_site import PROJECT
from tests.integration.api.stories import asked, released, voted
from tests.integration.site.browsed_site import BrowsedSite, Browser, words_of

TABLE = b"sex,patients\nf,120\nm,140\n"


def hidden(page: str) -> dict[str, str]:
    """What the forms of a page carry of what it showed."""
    found = {}
    for name in ("seen", "turn"):
        marker = f'name="{name}" value="'
        if marker in page:
            found[name] = page.split(marker, 1)[1].split('"', 1)[0]
    return found


def votes(request: Any, vote: str = "APPROVED", **more: str) -> dict[str, str]:
    """The fields of a form with one vote on every file."""
    fields = {f"vote:{file['path']}": vote for file in request["files"]}
    for field, value in more.items():
        fields |= {f"{field}:{file['path']}": value for file in request["files"]}
    return fields


def vote(browser: Browser, request: Any, vote: str = "APPROVED", **more: str) -> Any:
    """Vote on every file as the page would."""
    path = f"/releases/{request['id']}"
    carried = hidden(browser.get(path).text)
    return browser.send(path, "vote", **carried, **votes(request, vote, **more))


def test_three_people_take_a_request_from_the_list_to_a_decision(site: BrowsedSite) -> None:
    """The main road: otherwise people would have to go by the command line."""
    request = asked(site)
    path = f"/releases/{request['id']}"
    assert "1 file waits for your vote" in site.browser("omar").words(f"/projects/{PROJECT}/releases")
    first = vote(site.browser("omar"), request, justification="looked at by hand")
    assert "Your vote was recorded." in words_of(first.text)
    assert "You have voted on every file" in words_of(first.text)
    assert "1 file waits for your vote" in site.browser("oda").words(path)
    vote(site.browser("oda"), request, justification="so did I")
    assert "It is approved" in site.browser("ana").words(path)
    site.node.publisher.publish_approved()
    page = site.browser("ana").get(path)
    assert "Download the package" in page.text
    package = site.browser("ana").get(f"{path}/package")
    assert package.status_code == 200
    assert package.headers["content-disposition"].startswith("attachment")


def test_a_list_comes_in_pages(site: BrowsedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with a thousand requests: its list must not keep everybody waiting, and lose none of them."""
    names = [asked(site)["id"] for _ in range(3)]
    monkeypatch.setattr("phems.gateway.site.releases.PAGE_OF_REQUESTS", 2)
    ana, path = site.browser("ana"), f"/projects/{PROJECT}/releases"
    first = ana.get(path).text
    assert [name in first for name in names] == [False, True, True]
    older = ana.get(f"{path}?before={names[1]}").text
    assert f"?before={names[1]}" in first
    assert [name in older for name in names] == [True, False, False]
    assert "Latest requests" in older
    assert "Earlier requests" not in older


def test_a_checker_sees_no_vote_of_another_before_their_own(site: BrowsedSite) -> None:
    """Otherwise the second checker would lean on the first, and two votes be one."""
    request = asked(site)
    vote(site.browser("omar"), request, "CHANGES_REQUESTED")
    site.browser("omar").send(f"/releases/{request['id']}", "comment", text="Too fine by half")
    for who in ("oda", "ana", "iris"):
        page = site.browser(who).get(f"/releases/{request['id']}")
        assert "omar" not in page.text, who
        assert "Too fine by half" not in page.text, who
    vote(site.browser("oda"), request, justification="fine by me")
    words = site.browser("oda").words(f"/releases/{request['id']}")
    assert "omar: Changes requested" in words
    assert "Too fine by half" in words
    assert "The checkers differ on 1 file" in words


def test_what_a_failed_check_asks_for_is_named_at_its_field(site: BrowsedSite) -> None:
    """Otherwise a checker would be told that something is missing, and look for it in a long page."""
    request = asked(site, text=b'sex,patients\nf,3\nm,140\n"=1+1",20\n')
    page = site.browser("omar").get(f"/releases/{request['id']}").text
    assert "cells that a spreadsheet would run as formulas" in page
    failed = vote(site.browser("omar"), request)
    assert failed.status_code == 400
    assert '<a href="#justification-1">A justification is missing' in failed.text
    assert 'value="APPROVED" checked' in failed.text


def test_a_changed_vote_needs_its_reason_where_others_are_seen(site: BrowsedSite) -> None:
    """Otherwise one checker could give in to another without a word."""
    request = asked(site)
    vote(site.browser("omar"), request, "CHANGES_REQUESTED")
    vote(site.browser("oda"), request, justification="fine")
    silent = vote(site.browser("omar"), request, justification="fine after all")
    assert silent.status_code == 400
    assert 'href="#reason-1"' in silent.text
    told = vote(site.browser("omar"), request, justification="fine", reason="Oda showed me the rounding")
    assert told.status_code == 200
    assert "Oda showed me the rounding" in told.text


def test_who_decides_on_what_has_changed_since_is_told_and_nothing_happens(site: BrowsedSite) -> None:
    """Otherwise a click on yesterday's page would decide on today's request."""
    request = asked(site)
    path = f"/releases/{request['id']}"
    omar = site.browser("omar")
    before = hidden(omar.get(path).text)
    site.browser("ana").send(path, "comment", text="One more word")
    unsaid = omar.send(path, "decide", **hidden(omar.get(path).text), decision="return", reason="")
    assert unsaid.status_code == 400
    assert 'href="#reason"' in unsaid.text
    stale = omar.send(path, "decide", **before, decision="return", reason="Round it")
    assert stale.status_code == 412
    assert "is not as you saw it" in stale.text
    assert "Round it" in stale.text
    assert "One more word" in stale.text
    again = omar.send(path, "decide", **hidden(stale.text), decision="return", reason="Round it")
    assert "went back to its author" in again.text
    assert "Round it" in site.browser("ana").words(path)


def test_an_author_asks_again_and_the_first_turn_can_still_be_read(site: BrowsedSite) -> None:
    """Otherwise a request that was given back would be a dead end, or its history lost."""
    request = asked(site)
    path = f"/releases/{request['id']}"
    omar, ana = site.browser("omar"), site.browser("ana")
    omar.send(path, "decide", **hidden(omar.get(path).text), decision="return", reason="Round it")
    assert f"{path}/again" in ana.get(path).text
    newer = site.wrote("table.csv", b"sex,patients\nf,120\nm,140\n", "run-9")
    form = ana.get(f"{path}/again?run=run-9").text
    assert "Round it" in form
    fields = {
        "run": "run-9",
        "seen": hidden(form)["seen"],
        f"place:{newer}": "release:default",
        "context:default": "Patients by sex, rounded",
        "controls:default": "Rounded to tens",
    }
    second = ana.send(f"{path}/again", "again", **fields)
    assert "You asked again." in words_of(second.text)
    assert "Turn 2" in second.text
    first = ana.get(f"{path}?turn=1")
    assert "This is turn 1, as it ended" in first.text
    assert "<form" not in first.text
    assert ana.get(f"{path}?turn=7").status_code == 404
    assert ana.get(f"{path}?turn=x").status_code == 400


def test_an_author_takes_a_file_out_and_then_the_request_back(site: BrowsedSite) -> None:
    """Otherwise a mistake could only be mended by a checker."""
    site.wrote("a.csv", TABLE, "run-2")
    site.wrote("b.csv", TABLE, "run-2")
    body = {"run": "run-2", "groups": [{"context": "Tables", "controls": "Rounded"}]}
    request = site.post("ana", f"/projects/{PROJECT}/release-requests", body).json()
    path, ana = f"/releases/{request['id']}", site.browser("ana")
    fields = {**hidden(ana.get(path).text), "path": request["files"][0]["path"]}
    assert "You took the file out" in ana.send(path, "withdraw-file", **fields).text
    gone = ana.send(path, "withdraw", **hidden(ana.get(path).text), withdraw_reason="Wrong cohort")
    assert "You withdrew the request." in gone.text
    assert "Wrong cohort" in gone.text


def test_an_owner_revokes_and_nobody_downloads_any_more(site: BrowsedSite) -> None:
    """Otherwise what was released by mistake would go on leaving."""
    request = released(site)
    path, iris = f"/releases/{request['id']}", site.browser("iris")
    without = iris.send(path, "revoke", **hidden(iris.get(path).text))
    assert without.status_code == 400
    assert 'href="#revoke_reason"' in without.text
    done = iris.send(path, "revoke", **hidden(without.text), revoke_reason="A count was wrong")
    assert "The release is revoked." in done.text
    refused = site.browser("ana").get(f"{path}/package")
    assert refused.status_code == 403
    assert "text/html" in refused.headers["content-type"]


def test_another_projects_request_looks_like_none(site: BrowsedSite) -> None:
    """Attack case 8, by page: who learns that a request exists learns something."""
    request = asked(site)
    ben = site.browser("ben")
    for end in ("", "/again", "/package", "?turn=1"):
        there, nowhere = ben.get(f"/releases/{request['id']}{end}"), ben.get(f"/releases/rr-aaaaaaaa{end}")
        assert there.status_code == nowhere.status_code == 404
        assert there.text.replace(request["id"], "rr-aaaaaaaa") == nowhere.text
    assert ben.get(f"/projects/{PROJECT}/releases").status_code == 404
    # An auditor sees that the project is there, and none of its requests.
    assert site.browser("aud").get(f"/projects/{PROJECT}/releases").status_code == 403


def test_no_form_of_another_page_votes(site: BrowsedSite) -> None:
    """Otherwise a link in a message could vote in a checker's name."""
    request = asked(site)
    omar = site.browser("omar")
    path = f"/releases/{request['id']}"
    sent = omar.client.post(
        path,
        data={"act": "vote", "turn": "1", **votes(request)},
        headers={"Accept": "text/html", "Origin": "http://127.0.0.1"},
    )
    assert sent.status_code == 403
    assert site.get("omar", f"/release-requests/{request['id']}").json()["files"][0]["votes"] == {}


def test_what_people_and_project_code_wrote_is_shown_and_never_run(site: BrowsedSite) -> None:
    """Otherwise a comment could act as who reads it, or a name read as another."""
    request = asked(site)
    path = f"/releases/{request['id']}"
    site.browser("ana").send(path, "comment", text="<script>alert(1)</script> abc\u202edef")
    page = site.browser("omar").get(path).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "[U+202E]" in page
    assert "\u202e" not in page


def test_an_author_cannot_vote_even_as_a_checker(site: BrowsedSite) -> None:
    """Otherwise one person would ask and approve."""
    request = asked(site)
    page = site.browser("ana").get(f"/releases/{request['id']}").text
    assert "Record my votes" not in page
    assert vote(site.browser("ana"), request).status_code == 403
    assert voted(site, "omar", request).status_code == 200
