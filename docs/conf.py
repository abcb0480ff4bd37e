# ruff: noqa: INP001 (Sphinx reads it; it is no part of a package)
"""How Sphinx makes a site of these pages: `make docs-site`. Every warning is an error there.

The pages are written for whoever reads them in the checkout or on a Git server. The navigation is what the
lists of the README files say: a page that no list names is an orphan, and the build fails.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).parent

project = "PHEMS node"
copyright = "The PHEMS node authors"  # noqa: A001 (Sphinx's name for it)
extensions = ["myst_parser"]
root_doc = "README"
nitpicky = True

myst_heading_anchors = 4
myst_linkify_fuzzy_links = False

html_theme = "furo"
html_title = project
html_show_sourcelink = False
html_copy_source = False
# What a reader copies is what stands in the checkout: straight quotes, two hyphens.
smartquotes = False

_SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
# Drawn by Git servers; on the site the table below each says the same.
_DIAGRAM = re.compile(r"^```mermaid$.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?P<shown>[^\]]*)\]\((?P<path>[\w./-]+)(?:#[\w-]+)?\)")

_MISSING = (
    ("body", "<pre>", '<pre tabindex="0">'),
    ("body", '<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
    ("furo_navigation_tree", 'role="heading"', 'role="heading" aria-level="2"'),
)


def _as_sphinx_reads_it(app: Sphinx, name: str, source: list[str]) -> None:
    """Before a page is parsed: links out of the docs become words, diagrams go, an index gets its tree."""
    folder = Path(app.env.doc2path(name)).parent
    text = _LINK.sub(lambda link: _within_the_docs(folder, link), _DIAGRAM.sub("", source[0]))
    if Path(name).name == "README":
        text += "".join(_trees(name, text))
    source[0] = text


def _within_the_docs(folder: Path, link: re.Match[str]) -> str:
    """The link, or what it shows when it leads to a file of the checkout that is no page of the site."""
    target = (folder / link["path"]).resolve()
    return link["shown"] if target.exists() and not target.is_relative_to(DOCS) else link[0]


def _trees(name: str, text: str) -> Iterator[str]:
    """What Sphinx calls its tree: the pages that each section's list names."""
    opening, *sections = _SECTION.split(text)
    for title, section in [("", opening), *zip(sections[::2], sections[1::2], strict=True)]:
        pages = dict.fromkeys(
            link["path"] for link in _LINK.finditer(section) if link["path"].endswith(".md")
        )
        if pages:
            caption = f":caption: {title}\n" if name == root_doc and title else ""
            yield "\n".join(["\n\n```{toctree}", f":hidden:\n{caption}", *pages, "```\n"])


def _usable_by_everyone(_app: Sphinx, _page: str, _name: str, context: dict[str, Any], _tree: object) -> None:
    """What Sphinx and the theme leave out: what scrolls can have the focus, and a heading says its depth."""
    for part, without, within in _MISSING:
        context[part] = (context.get(part) or "").replace(without, within)


def _with_a_front_page(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    """What is ours in the build."""
    app.connect("source-read", _as_sphinx_reads_it)
    app.connect("html-page-context", _usable_by_everyone, priority=900)  # after the theme has made it
    app.connect("build-finished", _with_a_front_page)
