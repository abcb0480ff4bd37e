"""A release from request to package, by people who click: what a hospital's staff do all year."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from tests.functional.conftest import HEART, Hospital
from tests.functional.people import Person

SECONDS = 60_000  # of Playwright's, for a machine with much else to do


def test_three_people_take_a_release_from_request_to_package(
    hospital: Hospital, person: Callable[..., Person]
) -> None:
    """Otherwise they would need a command line, and a stranger might see what they do."""
    carol = person("carol")
    expect(carol.page.get_by_text("Nothing waits for you.")).to_be_visible()

    ana = person("ana")
    ana.page.get_by_role("link", name=HEART).click()
    ana.picture("project")
    ana.page.get_by_role("link", name=f"Run {hospital.analysis[:8]}").click()
    expect(ana.page.get_by_text("km_table.csv")).to_be_visible()
    ana.picture("run")
    ana.page.get_by_role("link", name="Ask for a release").click()
    for name in ("cox_coefficients.json", "km_curve.png", "km_table.csv"):
        ana.page.get_by_label(name).select_option(label="Release it")
    ana.page.get_by_label("What the files are").fill("Survival after a heart attack, for publication")
    controls = "Numbers at risk in tens, groups below ten left out"
    ana.page.get_by_label("How disclosure of single patients was avoided").fill(controls)
    ana.page.get_by_role("button", name="Run the output checks for me first").click()
    expect(ana.page.get_by_role("heading", name="What the output checks found")).to_be_visible(
        timeout=SECONDS
    )
    ana.picture("checks-for-me")
    ana.page.get_by_role("button", name="Ask for the release").click()
    expect(ana.page.get_by_text("You asked for the release.")).to_be_visible(timeout=SECONDS)
    address = ana.page.url.partition("?")[0]
    request = address.rpartition("/")[2]

    # Told by the node: nobody reloads the page.
    expect(carol.page.get_by_role("link", name=request)).to_be_visible(timeout=SECONDS)
    carol.picture("my-work")
    assert person("ben").open(f"/releases/{request}").status == 404

    _keeps_what_failed(
        carol, request, lambda: hospital.act("ana", "release", "comment", request, "For the journal")
    )
    _vote(carol, request, picture="vote")
    dmitri = person("dmitri")
    dmitri.open(f"/releases/{request}")
    assert "carol: " not in dmitri.reads()  # blind until both have voted
    _vote(dmitri, request)

    ana.open(f"/releases/{request}")
    expect(ana.page.get_by_role("heading", level=1)).to_contain_text("Released", timeout=SECONDS)
    expect(ana.page.get_by_role("button", name="Withdraw the request")).to_have_count(0, timeout=SECONDS)
    ana.picture("released")
    ana.page.get_by_role("link", name="Its lineage").click()
    expect(ana.page.get_by_role("heading", level=1)).to_have_text(f"Lineage of release request {request}")
    expect(ana.page.get_by_role("row", name="died")).to_contain_text("whas500: fstat", timeout=SECONDS)
    ana.picture("lineage", whole=False)
    assert ana.barriers() == []
    ana.open(f"/releases/{request}")
    with ana.page.expect_download() as download:
        ana.page.get_by_role("link", name="Download the package").click()
    assert download.value.suggested_filename == f"{request}.tar"
    assert (hospital.node.releases / request / "manifest.json").exists()


def test_a_stranger_sees_nothing(hospital: Hospital, person: Callable[..., Person]) -> None:
    """Otherwise projects would learn of each other what nobody told them."""
    ben = person("ben")
    unknown = ben.open("/projects/no-such-project/runs")
    for path in (
        f"/projects/{HEART}",
        f"/projects/{HEART}/runs",
        f"/projects/{HEART}/runs/{hospital.analysis}",
    ):
        answer = ben.open(path)
        assert answer.status == unknown.status == 404
        assert hospital.analysis not in ben.reads().replace(path, "")
    assert HEART not in (ben.open("/"), ben.reads())[1]


def _keeps_what_failed(checker: Person, request: str, change: Callable[[], object]) -> None:
    """A decision on what has changed meanwhile is not taken; its reason stands there for the next try."""
    page = checker.page
    checker.open(f"/releases/{request}")
    page.get_by_label("Why", exact=True).fill("Round to tens")
    change()
    with page.expect_response(lambda answer: answer.request.resource_type == "fetch") as anew:
        page.get_by_role("button", name="Give it back for changes").click()
        expect(page.get_by_text("is not as you saw it")).to_be_visible(timeout=SECONDS)
    anew.value.finished()  # the live parts, which are put in place before the next frames
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(page.get_by_label("Why", exact=True)).to_have_value("Round to tens")
    expect(page.get_by_text("For the journal").first).to_be_visible()


def _vote(checker: Person, request: str, picture: str = "") -> None:
    """Look at a table, then approve every file and say so."""
    checker.open(f"/releases/{request}")
    checker.page.get_by_role("link", name="km_table.csv").first.click()
    expect(checker.page.get_by_role("table").first).to_be_visible(timeout=SECONDS)
    if picture:
        checker.picture("table", whole=False)
        assert checker.barriers() == []
    checker.open(f"/releases/{request}")
    for choice in checker.page.get_by_label("Approve", exact=True).all():
        choice.check()
    if picture:
        checker.picture(picture)
        assert checker.barriers() == []
    checker.page.get_by_role("button", name="Record my votes").click()
    expect(checker.page.get_by_text("Your vote")).not_to_have_count(0, timeout=SECONDS)
