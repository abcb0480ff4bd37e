"""Lineage as a page: drawn, in tables that say the same, and for those alone who may read it."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.integration.api.api_site import PROJECT
from tests.integration.api.stories import RUN as RUN_ID
from tests.integration.api.stories import released
from tests.integration.site.browsed_site import BrowsedSite, words_of

from phems.domain.canonical import sha256
from phems.domain.run_lineage import AssetLineage, RunLineage
from phems.gateway.site.lineage_drawing import LONGEST, MOST_BOXES, drawn, fitted
from phems.services.lineage import FileLineage, FileRelease, Lineage

HOSTILE = '"><img src=x onerror=alert(1)>'
RUN = RunLineage(
    "run-1",
    requested_by="ana",
    commit="b" * 40,
    approved_by=("iris", "ida"),
    data={f"source-{number}": "sha256:" + "d" * 64 for number in range(3)},
    assets=(AssetLineage(HOSTILE, {HOSTILE: (HOSTILE,)}),),
)
FILE = FileLineage(
    f"outputs/run-1/{HOSTILE}", "9" * 64, 12, "run-1", "table", (FileRelease("rr-aaaaaaaa", 1, "PENDING"),)
)
FOUND = Lineage("heart", "run", "run-1", (FILE,), (RUN,))


def test_a_release_is_followed_from_its_page_to_the_data(site: BrowsedSite) -> None:
    """An auditor sees at one glance what a released number rests on, and can read all of it."""
    request = released(site)
    release = f"/releases/{request['id']}"
    path = f"/projects/{PROJECT}/lineage/{request['id']}"
    browser = site.browser("ana")
    assert f'href="{path}"' in browser.get(release).text
    page = browser.get(path)
    assert page.status_code == 200
    words = words_of(page.text)
    assert f"Lineage of release request {request['id']}" in words
    assert "approved by" in words
    assert page.text.count("<rect") >= 3
    # The same by the file's hash.
    assert browser.get(f"/projects/{PROJECT}/lineage/{request['files'][0]['sha256']}").status_code == 200


def test_those_without_a_part_in_the_project_see_no_lineage(site: BrowsedSite) -> None:
    """Not even that there is any."""
    request = released(site)
    for who in ("ben", "nobody"):
        for what in (request["id"], "no-such-run"):
            assert site.browser(who).get(f"/projects/{PROJECT}/lineage/{what}").status_code == 404
    assert site.browser("ana").get(f"/projects/{PROJECT}/lineage/no-such-run").status_code == 404


def test_a_file_that_is_called_like_a_script_is_text(site: BrowsedSite) -> None:
    """Its name is project code's word, and an auditor's browser must not obey it."""
    text = b"sex,patients\nf,120\n"
    site.wrote(f"{HOSTILE}.csv", text, RUN_ID)
    page = site.browser("ana").get(f"/projects/{PROJECT}/lineage/{sha256(text)}").text
    assert "alert(1)" in page
    assert "<img" not in page
    drawing = drawn(FOUND)
    assert all(len(box.first) <= LONGEST and len(box.second) <= LONGEST for box in drawing.boxes)
    assert fitted("a" * 100) == "a" * 13 + "…" + "a" * 13


def test_every_box_is_joined_and_inside_the_drawing() -> None:
    """A box without a line says that nothing led to it."""
    drawing = drawn(FOUND)
    assert [box.kind for box in drawing.boxes] == ["data"] * 3 + ["code", "run", "file", "release"]
    assert len(drawing.lines) == 3 + 1 + 1 + 1
    assert all(box.x < drawing.width and box.y < drawing.height for box in drawing.boxes)
    assert all(re.fullmatch(r"M\d+ \d+C[\d ]+", line) for line in drawing.lines)
    assert drawn(replace(FOUND, files=())).left_out == 0


def test_what_does_not_fit_is_counted() -> None:
    """A request may have thousands of files."""
    many = tuple(replace(FILE, path=f"outputs/run-1/{number}.csv") for number in range(MOST_BOXES + 7))
    drawing = drawn(replace(FOUND, files=many))
    assert drawing.left_out == 7
    assert len(drawing.boxes) == 3 + 1 + 1 + MOST_BOXES + 1
