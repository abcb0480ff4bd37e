"""A Code Repo that is not there, has no such branch, or does not import."""

from __future__ import annotations

from pathlib import Path

from tests.nodes import NodeSite, RunningNode, git, temporary_site
from typed_commands import Phems, everything_below, project, write_spec

from phems.engine.hosts import HostState

ANALYST = "ana"


def a_repo(folder: Path) -> Path:
    """A repository with one commit on main."""
    repo = folder / "repo"
    (repo / "src" / "small").mkdir(parents=True)
    (repo / "src" / "small" / "definitions.py").write_text(
        "import dagster as dg\n\ndefs = dg.Definitions()\n"
    )
    git(repo, "init", "-q", "-b", "main")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "First")
    return repo


def test_a_repo_that_does_not_exist(phems: Phems, folder: Path) -> None:
    """Otherwise the first submission would say it, days later."""
    write_spec(folder / "node", projects={"small": project("../absent")})
    before = everything_below(folder)
    phems(folder / "node", "check").is_clear(2, "projects.small.code.repo", "absent")
    assert everything_below(folder) == before


def test_a_folder_that_is_no_repo(phems: Phems, folder: Path) -> None:
    """Otherwise git's own words would be all that a person gets."""
    (folder / "plain").mkdir()
    write_spec(folder / "node", projects={"small": project("../plain")})
    phems(folder / "node", "check").is_clear(2, "projects.small.code.repo", "plain")


def test_a_branch_that_does_not_exist(phems: Phems, folder: Path) -> None:
    """Otherwise a project would wait for a branch that nobody pushes to."""
    a_repo(folder)
    write_spec(folder / "node", projects={"small": project("../repo", branch="release")})
    phems(folder / "node", "check").is_clear(2, "projects.small.code.branch", "release", "main")


def test_submitting_from_what_is_gone(phems: Phems, folder: Path) -> None:
    """Otherwise a deleted branch or repo would leave half a submission on record."""
    repo = a_repo(folder)
    write_spec(folder / "node", projects={"small": project("../repo")})
    token = phems(folder / "node", "user", "add", "ana", "--token", seconds=120)
    git(repo, "branch", "-q", "-m", "main", "other")
    said = phems(folder / "node", "code", "submit", "--project", "small")
    assert "Traceback" not in said.out + said.err, said
    assert said.code != 0, (token, said)


def test_code_that_does_not_import_is_shown_with_its_reason() -> None:
    """Otherwise an approved revision would silently do nothing; the one before it would be lost."""
    with temporary_site() as site:
        good = (
            "import dagster as dg\n\n\n@dg.op\ndef one():\n    pass\n\n\n@dg.job\ndef job():\n    one()\n\n\n"
        )
        good += "defs = dg.Definitions(jobs=[job])\n"
        site.add_project("small", {"src/small/definitions.py": good, "src/small/__init__.py": ""})
        site.add_project("other", {"src/other/definitions.py": good, "src/other/__init__.py": ""})
        node = RunningNode(site).start()
        try:
            for name in ("small", "other"):
                node.approve(name)
            for name in ("small", "other"):
                node.ready(name)
            _deliver_and_look(
                site, node, "import no_such_package\n", "ModuleNotFoundError", "no_such_package"
            )
            _deliver_and_look(site, node, "def f(:\n", "SyntaxError", "definitions.py")
            _deliver_and_look(site, node, "x = 1\n", "small.definitions", "")
            _deliver_and_look(site, node, "raise SystemExit(3)\n", "", "")
            assert node.run("job", project="other").is_success
        finally:
            node.stop()


def _deliver_and_look(site: NodeSite, node: RunningNode, text: str, *words: str) -> None:
    site.commit("small", {"src/small/definitions.py": text})
    digest = node.approve("small")

    def failed() -> str | None:
        host = node.host("small")
        is_it = host is not None and host.code_digest == digest
        return host.error or "?" if host and is_it and host.state is HostState.FAILED else None

    error = node.wait_for(failed, f"the host fails on {text!r}", 40)
    for word in words:
        assert word in error, error

    def is_shown() -> bool:
        context = node.serving.control.workspace.create_request_context()
        entry = context.get_code_location_entries().get("small")
        # For a moment after a host has failed, what the one before it failed with is still shown.
        return entry is not None and entry.load_error is not None and words[0] in entry.load_error.message

    node.wait_for(is_shown, f"the UI shows {words[0]!r}", 20)
