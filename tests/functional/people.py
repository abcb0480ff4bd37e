"""People in front of a real browser: headless Chromium from the system, a context for each of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Chromium would otherwise look for its maker's hosts at every start.
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
AA = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
# What has the focus: what it is called, and the line around it.
FOCUSED = """() => {
  const one = document.activeElement;
  const label = one.labels && one.labels[0];
  return { name: (label || one).innerText || "", outline: getComputedStyle(one).outlineStyle };
}"""
PASSWORD = "four plain words here"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Chromium's own sandbox does not start for root; what it opens is this node alone."""
    assert CHROMIUM is not None, "Chromium is missing. Remedy (as root): apt-get install chromium"
    sandbox = ("--no-sandbox",) if os.getuid() == 0 else ()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *sandbox])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Person:
    """Somebody who has signed in with the form, and what their browser complained about."""

    name: str
    context: BrowserContext
    page: Page
    complaints: list[str]
    pictures: Path | None

    def picture(self, name: str, *, whole: bool = True) -> None:
        """Keep what they see, for the documents, when a run is asked to (`PHEMS_PICTURES=FOLDER`).

        `whole` is down to the page's end, else what shows without scrolling.
        """
        if self.pictures is not None:
            self.page.screenshot(path=self.pictures / f"{name}.png", full_page=whole)

    def open(self, path: str) -> Response:
        """Go to a page; gives the answer."""
        answer = self.page.goto(path, wait_until="load")
        assert answer is not None
        return answer

    def barriers(self) -> list[str]:
        """What of the page some could not use, on a telephone, in light and dark: WCAG 2.1 AA by axe."""
        self.page.set_viewport_size(NARROW)
        problems = []
        for scheme in ("dark", "light"):
            self.page.emulate_media(color_scheme=scheme)
            found = Axe().run(self.page, options=AA).response["violations"]
            problems += [
                f"{self.page.url} ({scheme}): {each['id']}: {node['html']}"
                for each in found
                for node in each["nodes"][:3]
            ]
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROW["width"]:
            problems.append(f"{self.page.url}: {wide} pixels wide on a telephone")
        self.page.set_viewport_size(WIDE)
        return problems

    def tab_to(self, name: str, *, most: int = 150) -> None:
        """Go on with the Tab key to what is called `name`; all on the way can be seen to have the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            seen = self.page.evaluate(FOCUSED)
            assert seen["outline"] != "none", f"{seen} has the focus, and it does not show"
            if name in seen["name"]:
                return
        raise AssertionError(f"{name!r} cannot be reached with the Tab key")

    def reads(self) -> str:
        """The text of the page."""
        return self.page.inner_text("body")


def sign_in(browser: Browser, url: str, name: str, **options: object) -> Person:
    """Sign somebody in, by typing."""
    pictures = Path(folder) if (folder := os.environ.get("PHEMS_PICTURES")) else None
    context = browser.new_context(base_url=url, viewport=WIDE, **options)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))

    def told(message: ConsoleMessage) -> None:
        # That a page itself was answered with 404 is for the test to judge.
        if message.type == "error" and message.location.get("url") != page.url:
            complaints.append(f"{page.url}: {message.text}")

    page.on("console", told)
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/")
    return Person(name, context, page, complaints, pictures)
