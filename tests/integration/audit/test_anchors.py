"""Outside anchors: what they hold is found again, their failures count as node.yaml says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phems.adapters.anchors.folder import FolderAnchor
from phems.adapters.anchors.webhook import WebhookAnchor
from phems.domain.checkpoints import parse_checkpoint
from phems.errors import IntegrityError, UnavailableError

from .conftest import ADA, Site, Witness


@pytest.fixture
def share(site: Site, tmp_path: Path) -> Path:
    """A folder that the node is anchored in, and must be."""
    folder = tmp_path / "share"
    folder.mkdir()
    site.anchor("share", FolderAnchor(folder), refuses=True)
    return folder


def names(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.iterdir())


def test_a_checkpoint_is_handed_over_and_found_again(site: Site, share: Path) -> None:
    site.act(3)
    (state,) = site.anchoring.submit()
    assert (state.size, state.behind, state.failure) == (3, 0, "")
    assert names(share) == [3]
    assert parse_checkpoint(next(share.iterdir()).read_text()) == site.kept()
    found = site.log.verify(ADA)
    assert (found.ok, found.anchors, found.silent_anchors) == (True, ("share",), ())


def test_entries_wait_for_each_other_until_their_time_has_come(site: Site, share: Path) -> None:
    site.act()
    site.anchoring.submit(due_only=True)
    assert names(share) == []
    site.clock.advance(minutes=1)
    site.act()
    site.anchoring.submit(due_only=True)
    assert names(share) == [2]


def test_while_a_required_anchor_is_away_for_too_long_no_act_is_possible(site: Site, share: Path) -> None:
    """Fail closed: what nobody outside can vouch for does not happen."""
    site.act()
    site.anchoring.submit()
    share.rename(share.with_name("away"))
    site.act()
    (state,) = site.anchoring.submit()
    assert "does not take checkpoints" in state.failure
    assert site.failed() == [("share", "failed")]
    site.clock.advance(minutes=10, seconds=1)
    with pytest.raises(UnavailableError, match="share of the audit log is behind"):
        site.act()
    with pytest.raises(UnavailableError, match="behind"):
        site.log.tail(ADA, 1)
    size = site.size()
    share.with_name("away").rename(share)
    site.anchoring.submit()
    assert site.failed() == [("share", "failed"), ("share", "done")]
    site.act()
    assert site.size() == size + 2
    assert site.log.verify(ADA).ok


def test_a_failing_anchor_is_told_once_and_not_each_time(site: Site, share: Path) -> None:
    """Otherwise an anchor that is away would fill the log."""
    share.rename(share.with_name("away"))
    site.act()
    for _ in range(5):
        site.anchoring.submit()
    assert site.failed() == [("share", "failed")]


def test_a_node_that_was_stopped_for_long_starts_when_its_anchor_is_there(site: Site, share: Path) -> None:
    site.act()
    site.clock.advance(days=3)
    site.restart()
    site.log.open()
    site.act()
    assert names(share)[0] == 1


def test_a_failure_that_is_only_reported_stops_nothing(site: Site, tmp_path: Path) -> None:
    site.anchor("share", FolderAnchor(tmp_path / "missing"))
    site.act()
    site.anchoring.submit()
    site.clock.advance(days=1)
    site.act()
    found = site.log.verify(ADA)
    assert found.ok
    assert found.silent_anchors == (f"share: The folder {tmp_path / 'missing'} does not take checkpoints.",)


def test_a_log_set_back_behind_its_anchor_is_found_and_stops_the_node(site: Site, share: Path) -> None:
    """Database and audit folder restored together: inside the node everything agrees."""
    site.act(2)
    older = site.checkpoint.read_bytes()
    site.act(3)
    site.anchoring.submit()
    site.set_back(2, older)
    with pytest.raises(IntegrityError, match="anchor share has a checkpoint of 5"):
        site.act()
    finding = site.log.verify(ADA).finding
    assert finding is not None
    assert (finding.kind, finding.seq) == ("rolled back", 3)


def test_a_log_set_back_with_all_that_the_node_remembers_is_found_by_asking_the_anchor(
    site: Site, share: Path
) -> None:
    site.act(2)
    older = site.checkpoint.read_bytes()
    site.act(3)
    site.anchoring.submit()
    site.set_back(2, older)
    (site.folder / "audit" / "anchors" / "share").unlink()
    site.restart()
    site.clock.advance(minutes=2)
    with pytest.raises(IntegrityError, match="anchor share has a checkpoint of 5"):
        site.log.open()


def test_a_log_that_went_on_from_an_older_state_is_a_fork(site: Site, share: Path) -> None:
    site.act(2)
    older = site.checkpoint.read_bytes()
    site.act(3)
    site.anchoring.submit()
    site.set_back(2, older)
    share.rename(share.with_name("away"))
    remembered = site.folder / "audit" / "anchors" / "share"
    remembered.unlink()
    site.clock.advance(seconds=1)
    site.act(6)
    share.with_name("away").rename(share)
    (state,) = site.anchoring.submit()
    assert "is not the one that the outside anchor share has" in state.failure
    with pytest.raises(IntegrityError, match="is not the one"):
        site.act()
    finding = site.log.verify(ADA).finding
    assert finding is not None
    assert (finding.kind, finding.until) == ("forked", 5)


@pytest.mark.parametrize("content", ["", "nonsense\n", "old"])
def test_what_somebody_else_put_there_is_no_checkpoint_of_ours(site: Site, share: Path, content: str) -> None:
    """An old checkpoint under a large number would hide the newer ones; a forged one would stop the node."""
    site.act()
    site.anchoring.submit()
    written = site.kept() if content == "old" else content
    (share / f"{99:020d}.checkpoint").write_text(str(written))
    site.act()
    (state,) = site.anchoring.submit()
    assert state.failure
    assert site.log.verify(ADA).silent_anchors


def test_a_checkpoint_that_another_key_signed_is_no_checkpoint_of_ours(
    site: Site, share: Path, tmp_path: Path
) -> None:
    site.act()
    other = Site(tmp_path / "other", site.database)
    with site.governance.transaction() as tx:
        forged = other.keeper.sign(tx.audit.head())
    (share / f"{1:020d}.checkpoint").write_text(str(forged))
    (state,) = site.anchoring.submit()
    assert "did not sign" in state.failure
    assert site.log.verify(ADA).silent_anchors == ("share: what it holds is not signed by this node",)


def test_a_web_service_is_given_the_checkpoint_and_the_token(site: Site, witness: Witness) -> None:
    site.anchor("witness", WebhookAnchor(witness.url, lambda: "secret"), refuses=True)
    site.act(2)
    (state,) = site.anchoring.submit()
    assert (state.size, state.failure) == (2, "")
    assert witness.received == [(str(site.kept()), "Bearer secret")]
    assert site.log.verify(ADA).anchors == ("witness",), "what was sent is remembered, and compared"


@pytest.mark.parametrize("answer", [302, 403, 500])
def test_an_answer_that_is_no_yes_is_a_failure(site: Site, witness: Witness, answer: int) -> None:
    """And a redirection would carry the token to somebody else."""
    site.anchor("witness", WebhookAnchor(witness.url))
    site.act()
    witness.answer = answer
    (state,) = site.anchoring.submit()
    assert state.failure
    assert state.size == 0
    assert len(witness.received) == 1


def test_a_web_service_that_is_not_there_is_a_failure(site: Site) -> None:
    site.anchor("witness", WebhookAnchor("http://127.0.0.1:9/"))
    site.act()
    (state,) = site.anchoring.submit()
    assert "does not take checkpoints" in state.failure


def test_one_anchor_that_fails_does_not_keep_another_from_its_checkpoint(
    site: Site, share: Path, witness: Witness
) -> None:
    site.anchor("witness", WebhookAnchor(witness.url))
    site.rules.insert(0, replace(site.rules[0], name="missing", place=FolderAnchor(share / "missing")))
    site.restart()
    site.act()
    site.anchoring.submit()
    assert len(names(share)) == 1
    assert len(witness.received) == 1
