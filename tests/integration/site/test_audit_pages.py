"""The audit log in a browser: what auditors find there, and that the badge beside it tells the truth."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from tests.integration.site.browsed_site import BrowsedSite

from phems.domain.actors import Actor
from phems.services.audit_proofs import is_proof


def actions(site: BrowsedSite) -> list[str]:
    """What the log has, in the words of its entries."""
    return [entry.action for entry in site.entries()]


def tamper(site: BrowsedSite, statement: str) -> None:
    """What somebody with the database's keys can do, if not unnoticed."""
    with site.database.engine("admin").begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER ALL"))
        connection.execute(text(statement))
        connection.execute(text("ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER entry_is_append_only"))


@pytest.mark.parametrize("who", ["ana", "omar", "iris", "nobody"])
@pytest.mark.parametrize("path", ["/audit", "/audit/verification", "/audit/checkpoint", "/audit/1/proof"])
def test_the_log_is_for_auditors_and_operators(site: BrowsedSite, who: str, path: str) -> None:
    """Otherwise members of one project would read what goes on in another."""
    assert site.browser(who).get(path).status_code == 403


def test_opening_a_page_is_one_entry_and_renewing_its_badge_is_none(site: BrowsedSite) -> None:
    """Otherwise nobody knows who read the log, or a page that stays open fills it by itself."""
    browser = site.browser("aud")
    before = len(site.entries())
    browser.get("/audit")
    assert actions(site)[before:] == ["audit.search"]
    browser.get("/audit/verification?since=1")
    browser.get("/audit/verification?since=1")
    assert len(site.entries()) == before + 1


def test_the_badge_shows_no_entry(site: BrowsedSite) -> None:
    """It is not recorded who reads it."""
    site.node.users.add_user(Actor("olga"), "somebody-new")
    assert "somebody-new" not in site.browser("aud").words("/audit/verification?since=1")


def test_the_newest_entry_comes_first_with_all_that_is_in_it(site: BrowsedSite) -> None:
    site.node.users.add_user(Actor("olga"), "somebody-new")
    words = site.browser("aud").words("/audit?action=user")
    entry = next(entry for entry in reversed(site.entries()) if entry.subject == "somebody-new")
    assert words.index("somebody-new") < words.index("nobody")
    assert entry.hash in words
    assert entry.prev_hash in words
    assert '"has_password": false' in words


def test_pages_of_the_log_neither_repeat_nor_skip_an_entry(site: BrowsedSite) -> None:
    """Otherwise an auditor reads to the end and has not seen what happened."""
    for number in range(60):
        with site.node.governance.transaction() as work:
            work.audit.append(Actor("olga"), "user.add", f"person-{number:02}")
    browser = site.browser("aud")
    first = browser.get("/audit?subject=person-").text
    older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    with site.node.governance.transaction() as work:
        work.audit.append(Actor("olga"), "user.add", "person-99")
    second = browser.get(older).text
    seen = [f"person-{number:02}" for number in range(60)]
    assert [name for name in seen if f">{name}<" in first] == seen[10:]
    assert [name for name in seen if f">{name}<" in second] == seen[:10]


@pytest.mark.parametrize(
    ("query", "shows"),
    [
        ("actor=iris", {"one"}),
        ("action=code.approve", {"one"}),
        ("action=code", {"one", "two"}),
        ("action=cod", set()),
        ("subject=tw", {"two"}),
        ("subject=t%25", set()),
        ("project=breast-cancer", {"two"}),
        ("result=refused", {"three"}),
        ("from=2000-01-01&to=2000-01-02", set()),
        ("from=2000-01-01", {"one", "two", "three"}),
    ],
)
def test_filters_find_what_fits_all_of_them(site: BrowsedSite, query: str, shows: set[str]) -> None:
    with site.node.governance.transaction() as work:
        work.audit.append(Actor("iris"), "code.approve", "one", project="heart-attack")
        work.audit.append(Actor("ben"), "code.submit", "two", project="breast-cancer")
        work.audit.append(Actor("ana"), "run.launch", "three", project="heart-attack", result="refused")
    page = site.browser("aud").get(f"/audit?{query}").text
    assert {name for name in ("one", "two", "three") if f'<span class="subject">{name}<' in page} == shows


def test_a_search_says_in_the_log_what_was_looked_for(site: BrowsedSite) -> None:
    """Otherwise a look into one person's doings cannot be told from a look at today."""
    site.browser("aud").get("/audit?actor=ana&action=release")
    assert site.entries()[-1].details == {"count": 51, "actor": "ana", "action": "release"}


def test_a_day_that_is_none_is_told(site: BrowsedSite) -> None:
    page = site.browser("aud").get("/audit?from=yesterday")
    assert page.status_code == 400
    assert "not a day" in page.text


def test_what_the_log_quotes_is_inert(site: BrowsedSite) -> None:
    """Names come from whoever was refused: they must not act as who reads of it."""
    with site.node.governance.transaction() as work:
        work.audit.append(
            Actor("ana"), "run.launch", "<script>alert(1)</script>\u202e", details={"a": "</pre>"}
        )
    page = site.browser("aud").get("/audit").text
    assert "<script>alert" not in page
    assert "[U+202E]" in page
    assert "&lt;/pre&gt;" in page


def test_the_badge_says_how_far_the_log_is_verified(site: BrowsedSite) -> None:
    browser = site.browser("aud")
    words = browser.words("/audit")
    assert f"Verified to entry {len(site.entries())} , checkpoint signed " in words


def test_the_badge_names_the_entry_that_was_changed(site: BrowsedSite) -> None:
    """Also one that was verified before: whoever changes it does so after it was written."""
    browser = site.browser("aud")
    browser.get("/audit")
    tamper(site, "UPDATE audit.entry SET subject = 'another' WHERE seq = 3")
    words = browser.words("/audit/verification")
    assert "Does not verify: entry 3 was changed" in words
    # What was found stays found, and the log can still be read.
    assert "Does not verify: entry 3 was changed" in browser.words("/audit")


def test_the_badge_tells_of_a_log_that_was_cut_off(site: BrowsedSite) -> None:
    browser = site.browser("aud")
    browser.get("/audit")
    tamper(site, "DELETE FROM audit.entry WHERE seq > 5")
    assert "Does not verify" in browser.words("/audit/verification")


def test_new_entries_alone_are_read_at_a_look(site: BrowsedSite) -> None:
    """Otherwise each page view reads a million entries."""
    watch = site.node.audit_watch
    size = len(site.entries())
    seen = [watch.look(limit=5).verified for _ in range(size // 5 + 1)]
    assert seen == [min(5 * (number + 1), size) for number in range(size // 5 + 1)]
    assert not watch.look(limit=5).is_behind


def test_a_whole_verification_is_recorded_and_told(site: BrowsedSite) -> None:
    browser = site.browser("aud")
    page = browser.send("/audit/verification", "verify")
    assert "The whole log was read and verified" in page.text
    assert "aud had it verified" in page.text
    assert "audit.verify" in actions(site)


def test_a_whole_verification_clears_a_finding_that_is_no_more(site: BrowsedSite) -> None:
    """After the database came back from its backup the page must not go on to warn."""
    browser = site.browser("aud")
    browser.get("/audit")
    tamper(site, "UPDATE audit.entry SET subject = subject || '!' WHERE seq = 3")
    assert "Does not verify" in browser.words("/audit/verification")
    tamper(site, "UPDATE audit.entry SET subject = rtrim(subject, '!') WHERE seq = 3")
    browser.send("/audit/verification", "verify")
    assert "Does not verify" not in browser.words("/audit/verification")


def test_a_proof_and_the_checkpoint_are_files_that_stand_for_themselves(site: BrowsedSite) -> None:
    browser = site.browser("aud")
    proof = browser.get("/audit/2/proof")
    assert is_proof(proof.text.splitlines()[0])
    assert proof.headers["content-disposition"] == 'attachment; filename="entry-2.proof"'
    assert browser.get("/audit/checkpoint").text.startswith("st-mary")
    assert browser.get("/audit/999999/proof").status_code == 404


def test_programs_search_the_log_in_pages(site: BrowsedSite) -> None:
    with site.node.governance.transaction() as work:
        for name in ("one", "two", "three"):
            work.audit.append(Actor("iris"), "code.approve", name)
    first = site.get("aud", "/audit/search", params={"action": "code", "limit": 2}).json()
    cursor = first["next_cursor"]
    second = site.get("aud", "/audit/search", params={"action": "code", "limit": 2, "cursor": cursor}).json()
    assert [entry["subject"] for entry in first["items"] + second["items"]] == ["three", "two", "one"]
    assert second["next_cursor"] is None
