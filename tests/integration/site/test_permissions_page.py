"""Who may do what, in a browser: one's own roles with their reasons, and nobody's of another project."""

from __future__ import annotations

from tests.integration.site.browsed_site import BrowsedSite

from phems.domain.permission_words import WORDS
from phems.domain.permissions import PERMISSIONS, Role


def test_one_is_told_what_one_may_do_and_why(site: BrowsedSite) -> None:
    words = site.browser("ana").words("/permissions")
    assert (
        "You are Data Analyst of project heart-attack Because of "
        "projects.heart-attack.members.data_analyst in node.yaml. So you may:" in words
    )
    own = words.partition("So you may:")[2].partition("Who has which role")[0]
    for verb, roles in PERMISSIONS.items():
        assert (WORDS[verb] in own) is (Role.DATA_ANALYST in roles), verb


def test_members_of_other_projects_are_not_told(site: BrowsedSite) -> None:
    """Otherwise a curious member learns of projects and people that are not theirs."""
    page = site.browser("ana").get("/permissions").text
    assert "breast-cancer" not in page
    assert ">ben<" not in page
    assert ", ben" not in page


def test_own_projects_name_their_members(site: BrowsedSite) -> None:
    words = site.browser("ana").words("/permissions")
    assert "Output Checker oda, omar" in words
    assert "Operator olga" in words


def test_operators_see_every_project(site: BrowsedSite) -> None:
    words = site.browser("olga").words("/permissions")
    assert "Data Analyst ana" in words
    assert "Data Analyst ben" in words


def test_auditors_see_every_project_and_people_without_a_role_none(site: BrowsedSite) -> None:
    """Who judges how the node is run must see who may do what in it; a stranger learns of no project."""
    auditor, stranger = (site.browser(who).get("/permissions").text for who in ("aud", "nobody"))
    for project in ("heart-attack", "breast-cancer"):
        assert project in auditor
        assert project not in stranger
    assert "You have no role yet" in site.browser("nobody").words("/permissions")
