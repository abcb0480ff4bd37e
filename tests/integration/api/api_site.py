"""The API of a node over a real database: the real door, the real use cases, requests without a network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from phems.adapters.postgres.database import Database
from phems.bootstrap import Node
from phems.domain.actors import LOCAL_OPERATOR
from phems.gateway.app import assemble
from phems.gateway.settings import settings_of
from phems.nodespec import load_node, node_paths

PROJECT, OTHER = "heart-attack", "breast-cancer"
ADDRESS = "http://127.0.0.1"
ORIGIN = {"Origin": ADDRESS}
PASSWORD = "four plain words here"
PEOPLE = {
    "data_analyst": "ana",
    "output_checker": "omar",
    "information_asset_owner": "iris",
    "operator": "olga",
    "auditor": "aud",
    "nobody": "nobody",
}
MORE_PEOPLE = ("oda", "ben", "ivo")
HUB = "hub"

SPEC = """\
    version: 1
    node: {name: st-mary}
    controller: {name: St Mary's Hospital}
    roles: {operator: [olga], auditor: [aud]}
    policies:
      default: {file_types: [csv, txt, json, png]}
    projects:
      heart-attack:
        code: {repo: code/heart-attack}
        members:
          data_analyst: [ana]
          output_checker: [omar, oda]
          information_asset_owner: [iris, ivo]
          coordinator: [hub]
      breast-cancer:
        code: {repo: code/breast-cancer}
        members: {data_analyst: [ben], output_checker: [omar, oda], information_asset_owner: [iris]}
"""


@dataclass
class ApiSite:
    """A node whose API answers in this process; a token for each person."""

    folder: Path
    database: Database
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.joinpath("node.yaml").write_text(dedent(SPEC), encoding="utf-8")
        spec = load_node(self.folder)
        paths = node_paths(spec, self.folder)
        for place in (paths.data_dir, paths.release_zone):
            place.mkdir(parents=True, exist_ok=True)
        self.node = Node(spec, paths, self.database)
        self.node.audit.open()
        for project in (PROJECT, OTHER):
            self.commit(project, {"src/definitions.py": "defs = 1\n", "uv.lock": "pinned\n"})
        self.app = assemble(
            Starlette(), self.node.users, settings=settings_of(self.node.spec), cases=self.node
        )
        for name in (*PEOPLE.values(), *MORE_PEOPLE):
            self.node.users.add_user(LOCAL_OPERATOR, name)
            self.tokens[name] = self.node.users.issue_token(LOCAL_OPERATOR, name).secret
        self.tokens[HUB] = self.node.coordinators.issue_token(LOCAL_OPERATOR, HUB).secret

    def client(self, who: str | None = None) -> TestClient:
        """Requests of one person, or of nobody."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who is not None else {}
        return TestClient(self.app, base_url=ADDRESS, headers=headers, raise_server_exceptions=False)

    def get(self, who: str | None, path: str, **options: Any) -> Any:
        """GET under /api."""
        return self.client(who).get(f"/api{path}", **options)

    def post(self, who: str | None, path: str, body: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """POST of JSON under /api."""
        return self.client(who).post(f"/api{path}", json=dict(body or {}), **options)

    def commit(self, project: str, files: Mapping[str, str], *, author: str = "Zoe") -> str:
        """A commit on the project's branch; gives its name."""
        repo = self.folder / "code" / project
        if not repo.exists():
            repo.mkdir(parents=True)
            self._git(repo, "init", "-q", "-b", "main")
        for path, content in files.items():
            place = repo / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content, encoding="utf-8")
        self._git(repo, "add", "-A")
        self._git(repo, "commit", "-q", "--allow-empty", "-m", f"A change by {author}", author=author)
        return self._git(repo, "rev-parse", "HEAD")

    def _git(self, repo: Path, *arguments: str, author: str = "Zoe") -> str:
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", author), ("EMAIL", f"{author.lower()}@hospital.example"))
        }
        done = subprocess.run(
            ["git", "-C", str(repo), *arguments],
            env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", **who},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def wrote(self, name: str, content: bytes, run_id: str = "run-1", project: str = PROJECT) -> str:
        """What a step does: write a file and have it registered; gives its path."""
        path = f"outputs/{run_id}/{name}"
        place = self.node.paths.data_dir / "artifacts" / project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return self.node.outputs.register_output(project, run_id, "make_table", path).path

    def entries(self) -> list[Any]:
        """The audit log."""
        with self.node.governance.transaction() as work:
            return list(work.audit.entries())

    def audit_text(self) -> str:
        """All that the audit log says, as one text."""
        return "\n".join(json.dumps(entry.details, default=str) + str(entry) for entry in self.entries())
