"""A node whose releases are attacked: requests are made as people make them, and processes killed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from tests.integration.governance.set_check_runner import SetCheckRunner

from phems.adapters.files.artifact_areas import FolderArtifactAreas
from phems.adapters.files.frozen_files import FolderFrozenFiles
from phems.adapters.postgres.database import Database
from phems.adapters.release_package.dsse import open_envelope
from phems.adapters.release_package.folder import LocalPackageFolder
from phems.adapters.signing import RELEASE_KEY, load_or_create_key
from phems.bootstrap.node import Node
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.audit import Entry
from phems.domain.release_states import ReleaseState
from phems.domain.votes import Vote
from phems.nodespec import load_node, node_paths
from phems.services.output_checks import OutputChecks
from phems.services.release_files import Choice
from phems.services.release_verification import VerifiedPackage, verify_package
from phems.services.releases import Case

PROJECT = "heart-attack"
ANA, CHRIS, CARA, IDA = Actor("ana"), Actor("chris"), Actor("cara"), Actor("ida")
FILES = {"km.csv": b"time,at_risk\n0,500\n", "note.txt": b"500 patients\n"}

_SPEC = """
version: 1
node: {name: node-a}
controller: {name: Hospital A, contact: office@hospital.example}
release_zone: zone
policies: {default: {approvals: 1, votes: 2, file_types: [csv, txt]}}
projects:
  heart-attack:
    code: {repo: code}
    members: {data_analyst: [ana], output_checker: [chris, cara], information_asset_owner: [ida]}
"""

_numbers = itertools.count(1)


def write_node(folder: Path) -> None:
    """A Node Repo."""
    folder.mkdir(parents=True)
    (folder / "node.yaml").write_text(_SPEC)


class ReleaseNode:
    """The use cases of the node in `folder`; another process has its own connections."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.node = made = Node(load_node(folder), node_paths(load_node(folder), folder), database)
        made.paths.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        areas = FolderArtifactAreas(made.paths.data_dir / "artifacts")
        frozen = FolderFrozenFiles(made.paths.data_dir / "releases")
        # What the checks find is not at stake here, and a sandbox for each request takes its time.
        made.output_checks = OutputChecks(made.governance, areas, frozen, SetCheckRunner(), made.access)

    def elsewhere(self) -> ReleaseNode:
        """The same node as another process of it has it."""
        name = str(self.database.base.database)
        return ReleaseNode(self.folder, self.database.in_database(name))

    def wrote(self, files: Mapping[str, bytes] = FILES) -> str:
        """What a run does: files, registered. Gives the run's name."""
        run = f"run-{next(_numbers)}"
        for name, content in files.items():
            place = self.node.paths.artifacts(PROJECT) / f"outputs/{run}/{name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            self.node.outputs.register_output(PROJECT, run, "make_table", f"outputs/{run}/{name}")
        return run

    def requested(self, run: str) -> str:
        """A request for the files of a run: its name."""
        view = self.node.releases.request(ANA, PROJECT, Choice(run), Case("a table", "rounded"))
        return view.request.id

    def voted(self, *checkers: Actor) -> str:
        """A request on which these checkers have voted APPROVED."""
        name = self.requested(self.wrote())
        for checker in checkers:
            self.node.releases.vote(checker, name, Vote.APPROVED)
        return name

    def released(self) -> str:
        """A request whose package lies in the release zone."""
        name = self.voted(CHRIS, CARA)
        self.node.publisher.publish_approved()
        assert self.state(name) is ReleaseState.RELEASED
        return name

    def state(self, name: str) -> ReleaseState:
        """Where a request stands."""
        with self.node.governance.transaction() as work:
            request = work.releases.get(name)
        assert request is not None
        return request.state

    def entries(self, action: str, name: str, *, result: str = "done") -> list[Entry]:
        """Audit entries of this act on this request."""
        with self.node.governance.transaction() as work:
            found = [entry for entry in work.audit.entries() if entry.action == action]
        return [entry for entry in found if entry.subject == name and (entry.result == result)]

    def visible(self, name: str) -> set[str]:
        """The files of a package that have left the node, by their path in it."""
        package = self.node.paths.release_zone / name
        return {str(place.relative_to(package)) for place in package.rglob("*") if place.is_file()}

    def hidden(self) -> set[str]:
        """What lies in the release zone out of sight, but for its lock."""
        found = {place.name for place in self.node.paths.release_zone.glob(".*")}
        return found - {".lock"}

    def verify(self, name: str) -> VerifiedPackage:
        """What the receiver of a package does."""
        key = load_or_create_key(self.node.paths.keys, RELEASE_KEY)
        folder = LocalPackageFolder(self.node.paths.release_zone / name)
        return verify_package(folder, key.public_key, key_id=key.key_id, opened=open_envelope)

    def check_audit(self) -> None:
        """The log is whole, and agrees with its signed checkpoint."""
        finding = self.node.audit.verify(LOCAL_OPERATOR).finding
        assert finding is None, finding
