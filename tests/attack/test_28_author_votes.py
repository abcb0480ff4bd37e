"""Case 28: the author votes, a single vote, a vote revised again and again, votes forged in the database."""

from __future__ import annotations

import pytest
from attacked_node import INTRUDER, AttackedNode
from sqlalchemy import text

from phems.domain.actors import Actor
from phems.domain.release_states import ReleaseState
from phems.domain.votes import Vote
from phems.errors import IntegrityError, PhemsError, RefusedError
from phems.services.release_files import Choice
from phems.services.releases import Case

WIM, CAROL, DMITRI = Actor("wim"), Actor("carol"), Actor("dmitri")
CASE = Case(context="A table of counts.", controls="No counts below ten.")


@pytest.fixture
def request_id(site: AttackedNode) -> str:
    """Wim asks for the output of a run that Carol, an Output Checker, has launched."""
    run = site.create_run(
        INTRUDER,
        "register_strange_paths_job",
        config={"ops": {"register_strange_paths": {"config": {"other_run": "x"}}}},
    )
    run_id = site.submit(run, who="carol")
    assert site.wait(run_id).is_success, site.log(run_id)
    view = site.serving.node.releases.request(WIM, INTRUDER, Choice(run_id, ("honest.csv",)), CASE)
    assert view.request.state is ReleaseState.SUBMITTED
    assert view.request.authors == {"carol", "wim"}
    return view.request.id


def nothing_left(site: AttackedNode, name: str) -> None:
    """The publisher has looked, and there is no package."""
    published = [one for one in site.serving.node.publisher.publish_approved() if one.request_id == name]
    assert all(one.package is None for one in published)
    assert not (site.serving.paths.release_zone / name).exists()


def test_an_author_does_not_vote(site: AttackedNode, request_id: str) -> None:
    """Otherwise whoever launched a run lets its results out through a friend's request."""
    releases = site.serving.node.releases
    for author in (WIM, CAROL):
        with pytest.raises(RefusedError):
            releases.vote(author, request_id, Vote.APPROVED)
        with pytest.raises(RefusedError):
            releases.approve(author, request_id)
        with pytest.raises(RefusedError):
            releases.return_(author, request_id, reason="to see what they think")
    refused = [entry for entry in site.refusals("release.vote") if entry.subject == request_id]
    assert {entry.actor for entry in refused} == {"wim", "carol"}
    nothing_left(site, request_id)


def test_one_checker_is_not_two_however_often_they_vote(site: AttackedNode, request_id: str) -> None:
    """Otherwise one careless or bought checker is enough."""
    releases = site.serving.node.releases
    for word in (Vote.APPROVED, Vote.UNDECIDED, Vote.APPROVED, Vote.CHANGES_REQUESTED, Vote.APPROVED):
        view = releases.vote(DMITRI, request_id, word)
        assert view.request.state is ReleaseState.PARTIALLY_REVIEWED
        nothing_left(site, request_id)
    with pytest.raises(RefusedError, match="cannot take 'approve' now"):
        releases.approve(DMITRI, request_id)
    assert len(view.request.replaced_votes) == 4


def test_votes_and_states_forged_in_the_database_release_nothing(site: AttackedNode, request_id: str) -> None:
    """Otherwise whoever can write to the database releases what they like."""
    node = site.serving.node
    node.releases.vote(DMITRI, request_id, Vote.APPROVED)
    forged = """
        INSERT INTO governance.release_votes (request_id, turn, path, checker, vote, at)
        SELECT request_id, turn, path, 'carol', 'APPROVED', now() FROM governance.release_files
        WHERE request_id = :id
    """
    approved = "UPDATE governance.release_requests SET state = 'APPROVED' WHERE id = :id"
    with node.database.engine("governance").begin() as connection:
        for statement in (forged, approved):
            connection.execute(text(statement), {"id": request_id})
    [publication] = [one for one in node.publisher.publish_approved() if one.request_id == request_id]
    assert isinstance(publication.error, IntegrityError)
    assert "carol" in publication.error.what
    assert not (site.serving.paths.release_zone / request_id).exists()
    with pytest.raises(PhemsError):
        node.releases.download(WIM, request_id, site.folder)
    node.releases.withdraw(WIM, request_id)


def test_a_vote_that_is_changed_in_the_database_stays_as_it_was(site: AttackedNode, request_id: str) -> None:
    """Otherwise the node's own role rewrites what a checker has said."""
    node = site.serving.node
    node.releases.vote(DMITRI, request_id, Vote.CHANGES_REQUESTED)
    engine = node.database.engine("governance")
    for statement in (
        "UPDATE governance.release_votes SET vote = 'APPROVED' WHERE request_id = :id",
        "DELETE FROM governance.release_votes WHERE request_id = :id",
        "UPDATE governance.release_files SET kind = 'output' WHERE request_id = :id",
        "DELETE FROM governance.release_turns WHERE request_id = :id",
        "DELETE FROM governance.release_withdrawals WHERE request_id = :id",
    ):
        with pytest.raises(Exception, match="permission denied"), engine.begin() as connection:
            connection.execute(text(statement), {"id": request_id})
