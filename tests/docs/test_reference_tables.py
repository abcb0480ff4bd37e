"""Tables of the reference that are written by hand, held against the code that they are about."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from types import ModuleType

import doc_pages

from phems.bootstrap.control_roles import DAEMON, THREADS
from phems.domain.permissions import PERMISSIONS

SOURCE = doc_pages.ROOT / "src" / "phems"
ACTION = re.compile(r"[a-z]+\.[a-z_]+")
# Where acts are recorded; elsewhere words of this shape are files, routes and loggers.
RECORDING = ("services", "bootstrap", "serve")
FILES = {"node.yaml", "storage.sock"}


def _tables() -> ModuleType:
    file = doc_pages.ROOT / "docs" / "reference_tables.py"
    spec = importlib.util.spec_from_file_location("reference_tables", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _words(*places: str) -> Iterator[str]:
    """Every text that stands in the code of these places."""
    for place in places:
        for file in (SOURCE / place).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_kind_of_audit_entry_is_in_the_reference() -> None:
    """Otherwise an auditor meets a word that nobody explains, or looks for one that is never written."""
    told = {action for kinds in _tables().ACTIONS.values() for action in kinds}
    nouns = {action.partition(".")[0] for action in told}
    found = {
        word for word in _words(*RECORDING) if ACTION.fullmatch(word) and word.partition(".")[0] in nouns
    }
    assert found - told - set(PERMISSIONS) - FILES == set()
    assert told - {"dagster.NAME"} - set(_words(*RECORDING, "domain")) == set()


def test_every_variable_of_the_environment_is_in_the_reference() -> None:
    """Otherwise somebody finds out from the source what a command depends on."""
    told = {name for names in _tables().ENVIRONMENT.values() for name in names}
    named = re.compile(r"PHEMS_[A-Z0-9_]*[A-Z0-9]")
    files = [file for file in SOURCE.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    found = {
        name for file in files for name in named.findall(file.read_text(encoding="utf-8", errors="replace"))
    }
    assert {name.replace("PHEMS_SOURCE", "PHEMS_SOURCE_NAME") for name in found} == told


def test_every_control_role_is_in_the_architecture() -> None:
    """Otherwise the page on health names a part that the architecture does not know."""
    page = doc_pages.ROOT / "docs" / "explanation" / "architecture.md"
    parts = {row.split("|")[1].strip() for row in doc_pages.rows(page, "Processes")}
    assert {*THREADS, f"{DAEMON}s"} <= parts
