"""Code from a commit to its approval: submitted by who clicks, approved by who has no mouse."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from tests.functional.conftest import HEART, Hospital
from tests.functional.people import Person

SECONDS = 60_000  # of Playwright's, for a machine with much else to do


def test_an_owner_approves_what_an_analyst_submits(hospital: Hospital, person: Callable[..., Person]) -> None:
    """Otherwise the Data Controller's own people need a command line to say yes."""
    code = hospital.node.folder / "code" / HEART
    quality = code / "src" / "heart_attack" / "quality.py"
    text = quality.read_text().replace('"hr": (20, 250)', '"hr": (25, 220)')
    quality.write_text(text.replace("by the study's protocol", "by the study's protocol of May 2026"))
    (code / "requirements.txt").write_text("lifelines==0.30.0\nscikit-survival==0.25.0\n")
    hospital.node.commit(HEART, "Heart rates as the new protocol has them")

    wei = person("wei")
    ana = person("ana")
    ana.open(f"/projects/{HEART}/code")
    ana.page.get_by_role("button", name="Submit for approval").click()
    expect(ana.page.get_by_text("The code revision was submitted.")).to_be_visible(timeout=SECONDS)
    expect(ana.page.get_by_text("It waits for wei.")).to_be_visible()
    assert ana.page.get_by_role("button", name="Approve the code").count() == 0

    # Told by the node: nobody reloads the page.
    wei.page.get_by_role("link", name="waits for your approval").click(timeout=SECONDS)
    expect(wei.page.get_by_role("region", name="Changes to src/heart_attack/quality.py")).to_be_visible()
    wei.picture("code")
    assert wei.barriers() == []
    wei.page.reload()
    wei.tab_to("Skip to main content")
    wei.page.keyboard.press("Enter")
    wei.tab_to("A remark")
    wei.page.keyboard.type("As the protocol says")
    wei.tab_to("Approve the code")
    wei.page.keyboard.press("Enter")
    expect(wei.page.get_by_text("You approved the code revision.")).to_be_visible(timeout=SECONDS)
    # And the author's page says so by itself.
    expect(ana.page.get_by_text("It is approved. New runs use it.")).to_be_visible(timeout=SECONDS)
