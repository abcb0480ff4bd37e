"""The first page that anybody sees."""

from __future__ import annotations

from collections.abc import Callable

import pyotp
from playwright.sync_api import expect
from tests.functional.conftest import BREAST, HEART
from tests.functional.people import PASSWORD, Person


def test_people_come_to_their_work(person: Callable[..., Person]) -> None:
    """Otherwise who signs in would have to know where to go."""
    ana = person("ana")
    assert ana.page.get_by_role("heading", level=1).inner_text() == "My work"
    assert HEART in ana.reads()
    assert BREAST not in ana.reads()
    ana.picture("signed-in")


def test_a_phone_becomes_a_second_factor_by_clicking(person: Callable[..., Person]) -> None:
    """Otherwise who is to set one up stands before a picture that the browser does not show."""
    ana = person("ana")
    ana.open("/account")
    ana.page.get_by_role("link", name="A code from your phone").click()
    ana.page.get_by_role("button", name="Set it up").click()
    picture = ana.page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
    assert ana.barriers() == []
    ana.picture("second-factor")
    app = pyotp.TOTP(ana.page.locator("li code").inner_text().replace(" ", ""))
    ana.page.get_by_label("Code from the app").fill("nonsense")
    ana.page.get_by_role("button", name="Turn it on").click()
    ana.page.get_by_role("link", name="The code is not right").click()
    ana.page.get_by_label("Code from the app").fill(app.now())
    ana.page.get_by_role("button", name="Turn it on").click()
    codes = ana.page.locator("ul.recovery code").all_inner_texts()
    assert len(codes) == 10
    assert ana.barriers() == []
    ana.picture("recovery-codes")
    ana.page.context.clear_cookies()
    ana.open("/login?next=/projects")
    ana.page.get_by_label("Name").fill("ana")
    ana.page.get_by_label("Password").fill(PASSWORD)
    ana.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(ana.page.get_by_label("Code from the app on your phone")).to_be_focused()
    assert ana.barriers() == []
    ana.picture("sign-in-code")
    ana.page.get_by_label("Code from the app on your phone").fill(codes[0])
    ana.page.get_by_role("button", name="Sign in", exact=True).click()
    ana.page.wait_for_url("**/projects")
    ana.open("/account/second-factor")
    assert ana.barriers() == []
    ana.page.get_by_label("Password").fill(PASSWORD)
    ana.page.get_by_label("Code from the app, or a recovery code").fill(codes[1])
    ana.page.get_by_role("button", name="Give it up").click()
    ana.page.wait_for_url("**/account")
