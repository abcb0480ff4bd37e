"""Case 37: kill -9 at every point of deciding. No act without an entry, no entry without an act."""

from __future__ import annotations

from killed_process import every_point
from release_node import CARA, CHRIS, PROJECT, ReleaseNode

from phems.domain.release_states import ReleaseState
from phems.domain.votes import Vote

LEAST_POINTS = 15
POINTS_BEHIND = 4


def vote(node: ReleaseNode, name: str) -> None:
    """The vote that decides."""
    node.node.releases.vote(CARA, name, Vote.APPROVED)


def test_a_decision_that_is_killed_happened_with_its_entry_or_not_at_all(node: ReleaseNode) -> None:
    """Otherwise a release rests on a vote that nobody can find, or a vote on record does not count."""
    points = 0
    for name, where in every_point(node, lambda: node.voted(CHRIS), vote):
        points += 1
        approved = node.state(name) is ReleaseState.APPROVED
        by_cara = [entry for entry in node.entries("release.vote", name) if entry.actor == CARA.name]
        assert len(by_cara) == approved, where
        assert len(node.entries("release.approve", name)) == approved, where
        assert node.visible(name) == set(), where
        node.check_audit()

        if not approved:
            vote(node, name)
        node.node.publisher.publish_approved()
        assert node.state(name) is ReleaseState.RELEASED, where
        node.verify(name)
    assert points >= LEAST_POINTS


def test_a_request_that_is_killed_happened_with_its_entry_or_not_at_all(node: ReleaseNode) -> None:
    """Otherwise files are frozen for a request that nobody made, or one is made without its files."""

    def ask(other: ReleaseNode, run: str) -> None:
        other.requested(run)

    known: set[str] = set()
    for run, where in every_point(node, node.wrote, ask):
        with node.node.governance.transaction() as work:
            made = [request for request in work.releases.of_project(PROJECT) if request.id not in known]
        for request in made:
            assert {file.run_id for file in request.files} == {run}, where
            assert len(node.entries("release.request", request.id)) == 1, where
            frozen = node.node.paths.data_dir / "releases" / request.id / "frozen" / "1"
            found = {str(path.relative_to(frozen)) for path in frozen.rglob("*") if path.is_file()}
            assert found == {file.path for file in request.files}, where
            known.add(request.id)
        # Each request that came about is read as history by the next, which has more points for it: a few
        # points behind the one where requests come about are enough.
        if len(known) == POINTS_BEHIND:
            break
    node.check_audit()
    assert len(known) == POINTS_BEHIND
