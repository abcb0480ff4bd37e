"""Pages can be read by everyone: on a telephone, in the dark, with a screen reader (WCAG 2.1 AA, by axe)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.functional.conftest import HEART, Hospital
from tests.functional.people import NARROW, Person

AA = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
PAGES: Sequence[tuple[str, str]] = (
    ("ana", "/"),
    ("ana", "/projects"),
    ("ana", f"/projects/{HEART}"),
    ("ana", f"/projects/{HEART}/runs"),
    ("ana", f"/projects/{HEART}/runs/RUN"),
    ("ana", f"/projects/{HEART}/runs/RUN/release"),
    ("ana", f"/projects/{HEART}/releases"),
    ("ana", f"/projects/{HEART}/capsules"),
    ("ana", "/policies"),
    ("ana", "/permissions"),
    ("ana", "/account"),
    ("ana", "/projects/no-such-project"),
    ("uma", "/audit"),
    ("omar", "/health"),
    ("omar", "/people"),
    ("omar", "/people/ana"),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_keep_to_wcag_aa_and_to_a_telephones_width(
    hospital: Hospital, person: Callable[..., Person], scheme: str
) -> None:
    """Otherwise some of those who must decide could not read what about."""
    people: dict[str, Person] = {}
    problems = []
    for who, template in PAGES:
        if who not in people:
            people[who] = person(who, color_scheme=scheme)
        each = people[who]
        each.page.set_viewport_size(NARROW)
        path = template.replace("RUN", hospital.analysis)
        each.open(path)
        found = Axe().run(each.page, options=AA)
        problems += [
            f"{path} ({scheme}): {violation['id']}: {node['html']}"
            for violation in found.response["violations"]
            for node in violation["nodes"][:3]
        ]
        wide = each.page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROW["width"]:
            problems.append(f"{path} ({scheme}): {wide} pixels wide on a telephone")
    assert problems == []
