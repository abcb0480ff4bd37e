"""What every page has: its navigation, its protection from other pages, and clear words when it fails."""

from __future__ import annotations

from tests.integration.api.api_site import ORIGIN
from tests.integration.site.browsed_site import HTML, BrowsedSite

from phems.gateway.site.ask import csrf_of


def test_home_names_the_projects_of_who_looks_and_no_other(site: BrowsedSite) -> None:
    """Otherwise people would learn of projects that are not theirs."""
    page = site.browser("ana").get("/")
    assert page.status_code == 200
    assert "heart-attack" in page.text
    assert "breast-cancer" not in page.text


def test_places_are_those_that_a_role_opens(site: BrowsedSite) -> None:
    """Otherwise people would be led to pages that refuse them."""
    assert "/people" in site.browser("olga").get("/").text
    assert "/people" not in site.browser("ana").get("/").text
    assert "/audit" in site.browser("aud").get("/").text


def test_pages_need_somebody(site: BrowsedSite) -> None:
    """Otherwise the node would tell passers-by."""
    answer = site.client().get("/", headers=HTML, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


def test_pages_run_nothing_from_elsewhere(site: BrowsedSite) -> None:
    """Otherwise a file name with a script in it could act as who looks at it."""
    policy = site.browser("ana").get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_form_token_is_of_one_session() -> None:
    """Otherwise one person's page could send forms as another."""
    assert csrf_of("one") != csrf_of("other")
    assert "one" not in csrf_of("one")


def test_a_page_without_forms_takes_none(site: BrowsedSite) -> None:
    """Otherwise an act could be sent where nobody decides on it."""
    browser = site.browser("ana")
    assert browser.client.post("/", data={"act": "x"}, headers={**HTML, **ORIGIN}).status_code == 405


def test_a_page_that_is_refused_or_not_there_leaves_the_way_on(site: BrowsedSite) -> None:
    """Otherwise whoever follows an old link stands before a wall of text, or of JSON."""
    ana, olga = site.browser("ana"), site.browser("olga")
    for browser, path, status in ((ana, "/audit", 403), (olga, "/people/eve", 404)):
        answer = browser.get(path)
        assert answer.status_code == status
        assert 'aria-label="Node"' in answer.text
        assert "What to do:" in answer.text


def test_a_form_that_is_too_large_is_told_on_a_page(site: BrowsedSite) -> None:
    """Also before anybody looked who sent it."""
    answer = site.browser("olga").send("/people", "add", name="x" * (5 * 1024 * 1024))
    assert answer.status_code == 413
    assert "The request is too large" in answer.text
    assert "<main" in answer.text


def test_a_form_of_an_ended_session_is_refused_on_a_page(site: BrowsedSite) -> None:
    browser = site.browser("olga")
    answer = browser.client.post("/people", data={"act": "add", "name": "eve"}, headers={**HTML, **ORIGIN})
    assert answer.status_code == 403
    assert "The form is not of this session" in answer.text
    assert "<main" in answer.text
