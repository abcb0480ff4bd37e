"""A project with a real Git repository, real folders and a real database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.governance.governed_site import (
    ANA,
    BEN,
    CHECKERS,
    MIB,
    OTHER,
    OWNERS,
    PROJECT,
    STRANGER,
    CodeRepo,
    People,
    Site,
)

from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.domain.permissions import Role
from phems.services.project_access import ProjectRules


@pytest.fixture
def repo(tmp_path: Path) -> CodeRepo:
    """A Code Repo with one commit on `main`."""
    folder = tmp_path / "code-repo"
    folder.mkdir()
    code = CodeRepo(folder)
    code.git("init", "-q", "-b", "main")
    code.commit({"src/heart_attack/definitions.py": "defs = 1\n", "uv.lock": "pinned\n"}, "Begin")
    return code


@pytest.fixture
def site(tmp_path: Path, governance: PostgresGovernance, repo: CodeRepo) -> Site:
    """Two projects with people of their own."""
    rules = ProjectRules(
        repo=repo.folder,
        branch="main",
        policy="default",
        approvals=1,
        votes=2,
        file_types=("csv", "json", "png", "txt"),
        max_file_size=MIB,
        max_output_size=2 * MIB,
    )
    roles = {
        **{(who.name, PROJECT): {Role.DATA_ANALYST} for who in (ANA, BEN)},
        **{(who.name, PROJECT): {Role.OUTPUT_CHECKER} for who in CHECKERS},
        **{(who.name, PROJECT): {Role.INFORMATION_ASSET_OWNER} for who in OWNERS},
        (STRANGER.name, OTHER): set(Role),
    }
    return Site(tmp_path / "node", governance, People(roles), {PROJECT: rules, OTHER: rules})


@pytest.fixture
def run_of(site: Site) -> Callable[..., str]:
    """Writes outputs as a run would; gives the run's name."""

    def run(files: dict[str, bytes], run_id: str = "run-1") -> str:
        for name, content in files.items():
            site.wrote(name, content, run_id)
        return run_id

    return run
