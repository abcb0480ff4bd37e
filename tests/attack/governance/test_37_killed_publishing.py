"""Case 37: kill -9 at every point of publishing. Nothing half released, no file out without RELEASED."""

from __future__ import annotations

import pytest
from killed_process import every_point
from release_node import CARA, CHRIS, FILES, IDA, ReleaseNode
from tests.integration.governance.released import PARTS

from phems.domain.canonical import sha256
from phems.domain.release_states import ReleaseState
from phems.errors import RefusedError

WHOLE = {*PARTS, *(f"files/{name}" for name in FILES)}
NOTICES = {"REVOKED.json", "REVOKED.dsse.json"}
# Fewer would mean that the process is not killed where it can be.
LEAST_POINTS = 40


def publish(node: ReleaseNode, _: str) -> None:
    """What the publisher of a node does."""
    for publication in node.node.publisher.publish_approved():
        assert publication.error is None, publication.error


def test_a_publisher_that_is_killed_releases_a_whole_package_or_nothing(node: ReleaseNode) -> None:
    """Otherwise files leave without a record, or a recorded release never arrives."""
    points = 0
    for name, where in every_point(node, lambda: node.voted(CHRIS, CARA), publish):
        points += 1
        state, seen = node.state(name), node.visible(name)
        assert seen in (set(), WHOLE), where
        assert state is ReleaseState.RELEASED or not seen, where
        assert len(node.entries("release.publish", name)) == (state is ReleaseState.RELEASED), where
        if seen:
            node.verify(name)

        publish(node, name)
        assert node.state(name) is ReleaseState.RELEASED, where
        assert node.visible(name) == WHOLE, where
        assert node.verify(name).request == name, where
        # What arrives after a crash is, byte for byte, what the audit log says was signed before it.
        [recorded] = node.entries("release.publish", name)
        package = node.node.paths.release_zone / name
        assert sha256((package / "manifest.json").read_bytes()) == recorded.details["manifest"], where
        sealed = sha256((package / "attestation.dsse.json").read_bytes())
        assert sealed == recorded.details["attestation"], where
        assert node.hidden() == set(), where
        assert node.node.publisher.publish_approved() == [], where
    node.check_audit()
    assert points >= LEAST_POINTS
    told = node.node.outbox.released(limit=200)
    assert len({item.request for item in told.items}) == len(told.items) == points + 1


def test_a_revocation_that_is_killed_leaves_a_package_that_verifies_or_is_revoked(node: ReleaseNode) -> None:
    """Otherwise a half-written notice makes a genuine package look forged, or the notice never comes."""

    def revoke(other: ReleaseNode, name: str) -> None:
        other.node.releases.revoke(IDA, name, reason="A patient objected")
        publish(other, name)

    points = 0
    for name, where in every_point(node, node.released, revoke):
        points += 1
        revoked = node.state(name) is ReleaseState.REVOKED
        assert len(node.entries("release.revoke", name)) == revoked, where
        assert node.visible(name) - NOTICES == WHOLE, where
        assert revoked or not node.visible(name) & NOTICES, where
        if node.visible(name) & NOTICES:
            with pytest.raises(RefusedError, match="was revoked"):
                node.verify(name)
        else:
            node.verify(name)

        if not revoked:
            node.node.releases.revoke(IDA, name, reason="A patient objected")
        publish(node, name)
        assert node.visible(name) == WHOLE | NOTICES, where
        with pytest.raises(RefusedError, match="was revoked") as refusal:
            node.verify(name)
        assert "A patient objected" in refusal.value.why
        assert node.hidden() == set(), where
        states = [item.state for item in node.node.outbox.released(limit=200).items if item.request == name]
        assert states == ["REVOKED", "REVOKED"], where
    node.check_audit()
    assert points >= LEAST_POINTS
