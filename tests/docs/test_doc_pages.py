"""The documents are whole: generated pages are fresh, links lead somewhere, no machine's path slipped in."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import doc_pages
import pytest

ROOT = doc_pages.ROOT
EVERY_PAGE = pytest.mark.parametrize(
    "page", doc_pages.pages(), ids=lambda page: str(page.relative_to(doc_pages.ROOT))
)
PICTURES = sorted((ROOT / "docs" / "images").glob("*.svg"))
SCREENSHOTS = sorted((ROOT / "docs" / "images" / "pages").glob("*.png"))
GENERATED = (
    "reference/api.md",
    "reference/audit-log.md",
    "reference/cli.md",
    "reference/environment.md",
    "reference/exit-codes.md",
    "reference/metrics.md",
    "reference/node-spec.md",
    "reference/notifications.md",
    "reference/permissions.md",
    "reference/project-library.md",
    "reference/storage-service.md",
    "explanation/ehds-article-73.md",
    "explanation/satre.md",
    "explanation/states.md",
    "images/layers.svg",
    "../charts/phems-node/alerts.yaml",
    "../charts/phems-node/values.schema.json",
    "../gitops/example/bootstrap.yaml",
    "../gitops/example/applications/node-pipeline.yaml",
    "../gitops/example/applications/code-pipeline.yaml",
)
# Folders that exist on one machine and not on the reader's; ~ and relative paths are anybody's.
_OWN_PATH = re.compile(r"(?<![\w.~/])/(?:home|root|Users|work|tmp/\w|mnt|workspace)\b[/\w.-]*")
SVG = "{http://www.w3.org/2000/svg}"


def _generator() -> object:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_generated_page_is_listed_here() -> None:
    """A page that joins the table and not this list would go stale unseen."""
    assert set(_generator().PAGES) == set(GENERATED)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_page_is_what_the_code_says(path: str) -> None:
    """A stale reference sends people to options and states that are gone. Remedy: make docs."""
    page = _generator().PAGES[path]()  # type: ignore[attr-defined]
    assert (ROOT / "docs" / path).read_text(encoding="utf-8") == page


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    """A link within the project that leads nowhere leaves its reader there."""
    for link in doc_pages.links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link} does not exist"
        assert target.is_relative_to(ROOT), f"{page.name}: {link} leads out of the checkout"
        if anchor:
            there = doc_pages.tests_of(target) if target.suffix == ".py" else doc_pages.anchors(target)
            assert anchor in there, f"{page.name}: {link} has no such heading"


@EVERY_PAGE
def test_no_path_of_one_machine(page: Path) -> None:
    """A path that exists on its author's machine alone is a command that fails on every other."""
    assert not _OWN_PATH.findall(page.read_text(encoding="utf-8"))


def test_every_how_to_guide_and_record_can_be_found() -> None:
    """A page that no index names is a page that nobody reads."""
    docs = ROOT / "docs"
    for index, folder in ((docs / "README.md", "how-to"), (docs / "README.md", "explanation")):
        missing = {page.name for page in (docs / folder).glob("*.md")} - {
            Path(link).name for link in doc_pages.links(index)
        }
        assert not missing
    records = {page.name for page in (docs / "adr").glob("[0-9]*.md")}
    assert records == {Path(link).name for link in doc_pages.links(docs / "adr" / "README.md")} & records


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs" / "images").glob("*.svg")), ids=lambda path: path.name
)
def test_a_picture_can_be_read_aloud(picture: Path) -> None:
    """Without title and description a picture says nothing to who cannot see it."""
    root = ET.parse(picture).getroot()  # noqa: S314 (our own file)
    named = {element.get("id") for element in root if element.tag in {f"{SVG}title", f"{SVG}desc"}}
    assert named == set((root.get("aria-labelledby") or "").split())
    assert all((element.text or "").strip() for element in root if element.get("id") in named)


@pytest.mark.parametrize("picture", SCREENSHOTS, ids=lambda path: path.stem)
def test_a_screenshot_is_of_a_page_that_a_test_opens(picture: Path) -> None:
    """A picture that nothing makes shows a page as it was once, or one that is gone."""
    sources = "".join(source.read_text() for source in (ROOT / "tests" / "functional").glob("*.py"))
    made = [
        line for line in sources.splitlines() if "picture" in line.lower() and f'"{picture.stem}"' in line
    ]
    assert len(made) == 1, f"made by: {made}"
    shown = [page.name for page in doc_pages.pages() if picture.name in page.read_text(encoding="utf-8")]
    assert shown, f"{picture.name} is on no page: take it out"


def test_every_roles_tutorial_shows_what_is_seen() -> None:
    """Most people meet the node in a browser: a page of commands alone would not show it to them."""
    tutorials = set((ROOT / "docs" / "tutorial").glob("*.md")) - {ROOT / "docs/tutorial/first-node.md"}
    assert all(any("images/pages/" in link for link in doc_pages.links(page)) for page in tutorials)


def test_ci_ends_with_the_summary_of_the_tests() -> None:
    """Whoever reads the end of CI's log must see what the tests said."""
    commands = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert commands[-1] == "make test"
