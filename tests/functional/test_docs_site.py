"""The documents as a site: built without a warning, searched from the disk, usable by everyone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from tests.functional.people import AA

ROOT = Path(__file__).parents[2]
_FETCHED = re.compile(r'<(?:script|img|source|iframe|link) [^>]*?(?:src|srcset|href)="([^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A broken link, a missing heading or a page in no index would have ended it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    built = subprocess.run(
        ["make", "docs-site", f"SITE={folder}"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_document_is_a_page_and_none_asks_another_host(site: Path) -> None:
    """Otherwise a hospital without a network reads half of it, or tells somebody else what it reads."""
    written = {page.relative_to(ROOT / "docs").with_suffix("") for page in (ROOT / "docs").rglob("*.md")}
    pages = {
        page.relative_to(site).with_suffix(""): page.read_text(encoding="utf-8")
        for page in site.rglob("*.html")
    }
    assert written <= set(pages)
    elsewhere = {
        name: [url for url in _FETCHED.findall(text) if "://" in url] for name, text in pages.items()
    }
    assert not any(elsewhere.values()), elsewhere


def test_it_can_be_searched_from_the_disk_and_read_by_everyone(site: Path, browser: Browser) -> None:
    """Otherwise the folder that was carried in is a heap of files to those who look for one thing."""
    with browser.new_context() as context, context.new_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{(site / 'search.html').as_uri()}?q=bubblewrap")
        page.get_by_role("link", name="Run without bubblewrap").first.click()
        page.wait_for_url("**/how-to/run-without-bubblewrap.html*")
        barriers = _barriers(page)
        page.goto((site / "index.html").as_uri())
        assert barriers + _barriers(page) == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def _barriers(page: Page) -> list[str]:
    found = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        for each in Axe().run(page, options=AA).response["violations"]:
            found += [f"{page.url} ({scheme}): {each['id']}: {node['html']}" for node in each["nodes"][:3]]
    return found
