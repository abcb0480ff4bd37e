"""Case 27: what was reviewed is swapped before it leaves, in the folders or in the database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from killed_process import killed_at
from release_node import CARA, CHRIS, FILES, PROJECT, ReleaseNode
from sqlalchemy import create_engine, text

from phems.domain.canonical import sha256
from phems.domain.release_states import ReleaseState
from phems.errors import IntegrityError, PhemsError

SWAPPED = b"patient,name\n1,Jane Doe\n"


def publish(node: ReleaseNode) -> PhemsError | None:
    """What the publisher says of the one request that waits."""
    [publication] = node.node.publisher.publish_approved()
    return publication.error


def frozen_file(node: ReleaseNode, name: str, file: str = "km.csv") -> Path:
    """A frozen file, as somebody with the node's data folder finds it."""
    [found] = (node.node.paths.data_dir / "releases" / name).rglob(file)
    found.chmod(0o600)
    return found


def sql(node: ReleaseNode, statement: str, **values: object) -> None:
    """What a database administrator can do."""
    with create_engine(node.database.address("admin")).begin() as connection:
        connection.execute(text(statement), values)


def check_refused(node: ReleaseNode, name: str, error: PhemsError | None) -> None:
    """Nothing left the node; the refusal is on record, without what project code wrote."""
    assert isinstance(error, IntegrityError), error
    assert node.visible(name) == set()
    assert node.hidden() == set()
    [entry] = node.entries("release.publish", name, result="refused")
    assert "km.csv" not in repr(entry.details)


def test_a_file_swapped_after_review_is_not_released(node: ReleaseNode) -> None:
    """Otherwise two people approve one file and another one leaves."""
    name = node.voted(CHRIS, CARA)
    frozen_file(node, name).write_bytes(SWAPPED)
    error = publish(node)
    check_refused(node, name, error)
    assert error is not None
    assert "km.csv" in error.what
    assert sha256(SWAPPED) in error.why
    assert sha256(FILES["km.csv"]) in error.why
    [entry] = node.entries("release.publish", name, result="refused")
    assert sha256(SWAPPED) in repr(entry.details)
    assert node.state(name) is ReleaseState.APPROVED


def test_a_file_swapped_for_a_link_or_taken_away_is_not_released(node: ReleaseNode, tmp_path: Path) -> None:
    """Otherwise a link leads the publisher to the patients' data."""
    secret = tmp_path / "patients.csv"
    secret.write_bytes(FILES["km.csv"])
    name = node.voted(CHRIS, CARA)
    file = frozen_file(node, name)
    file.unlink()
    file.symlink_to(secret)
    check_refused(node, name, publish(node))
    file.unlink()
    assert isinstance(publish(node), IntegrityError)
    assert node.visible(name) == set()


def test_a_file_swapped_between_the_record_and_the_package_is_not_released(node: ReleaseNode) -> None:
    """Otherwise a crash of the publisher opens a door that was closed before it."""

    def act(other: ReleaseNode) -> None:
        other.node.publisher.publish_approved()

    point = 0
    while True:
        point += 1
        name = node.voted(CHRIS, CARA)
        assert killed_at(point, node, act) is not None
        if node.state(name) is ReleaseState.RELEASED:
            break
        publish(node)
    assert node.visible(name) == set()
    frozen_file(node, name).write_bytes(SWAPPED)
    check_refused(node, name, publish(node))


@pytest.mark.parametrize("part", ["manifest.json", "README.html", "ro-crate-metadata.json", "checks.json"])
def test_a_package_changed_in_the_database_is_not_placed(node: ReleaseNode, part: str) -> None:
    """Otherwise who can write to the database writes packages that the node seems to have signed."""
    name = node.released()
    package = node.node.paths.release_zone / name
    package.rename(package.with_name("taken-away"))
    sql(node, "UPDATE governance.release_packages SET placed_at = NULL")
    sql(
        node,
        "UPDATE governance.release_package_parts SET content = :content WHERE path = :part",
        content=b"{}",
        part=part,
    )
    error = publish(node)
    check_refused(node, name, error)
    assert error is not None
    assert "is not the one that was recorded" in error.what


def test_digests_changed_in_the_database_are_found(node: ReleaseNode) -> None:
    """Otherwise the swap is hidden by writing its digest beside it: the votes were on other bytes."""
    for checker in (CHRIS, CARA):
        with node.node.governance.transaction() as work:
            node.node.approval_signatures.current_key(work, checker.name)
    name = node.voted(CHRIS, CARA)
    frozen_file(node, name).write_bytes(SWAPPED)
    sql(
        node,
        "UPDATE governance.release_files SET sha256 = :sha256, size = :size WHERE path LIKE '%km.csv'",
        sha256=sha256(SWAPPED),
        size=len(SWAPPED),
    )
    error = publish(node)
    check_refused(node, name, error)
    assert error is not None
    assert "does not count" in error.what


@pytest.mark.parametrize("forger", ["ana", "cara"])
def test_votes_written_into_the_database_release_nothing(node: ReleaseNode, forger: str) -> None:
    """Otherwise one vote and one line of SQL are two votes: an author's, or one that a key did not sign."""
    with node.node.governance.transaction() as work:
        node.node.approval_signatures.current_key(work, CARA.name)
    name = node.voted(CHRIS)
    with node.node.governance.transaction() as work:
        request = work.releases.get(name, lock=True)
        assert request is not None
        forged = tuple(replace(vote, checker=forger) for vote in request.votes)
        work.releases.save(
            replace(
                request, votes=(*request.votes, *forged), state=ReleaseState.APPROVED, decided_by="system"
            )
        )
    error = publish(node)
    check_refused(node, name, error)
    assert error is not None
    assert f"A vote of {forger}" in error.what
    assert node.state(name) is ReleaseState.APPROVED


def test_outputs_swapped_in_the_artifact_area_change_nothing(node: ReleaseNode) -> None:
    """Otherwise project code that still runs chooses what leaves."""
    name = node.voted(CHRIS, CARA)
    [output] = node.node.paths.artifacts(PROJECT).rglob("km.csv")
    output.write_bytes(SWAPPED)
    assert publish(node) is None
    assert (node.node.paths.release_zone / name / "files/km.csv").read_bytes() == FILES["km.csv"]
    node.verify(name)
