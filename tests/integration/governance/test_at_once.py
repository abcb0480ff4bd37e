"""People act at the same moment: nobody's act is lost, and no rule is passed by."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.integration.governance.governed_site import ANA, CARA, CHRIS, IDA, IVO, PROJECT, CodeRepo, Site

from phems.domain.code_revisions import CodeRevisionState
from phems.domain.release_states import ReleaseState
from phems.domain.votes import Vote
from phems.errors import RefusedError
from phems.services.release_files import Choice
from phems.services.releases import Case


def at_once(*acts: Callable[[], object]) -> list[Exception]:
    """Do all acts in threads that start together; the errors."""
    errors: list[Exception] = []
    start = threading.Barrier(len(acts))

    def do(act: Callable[[], object]) -> None:
        start.wait(timeout=30)
        try:
            act()
        except Exception as error:  # noqa: BLE001 (whatever it is, the test looks at it)
            errors.append(error)

    threads = [threading.Thread(target=do, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return errors


def test_two_votes_at_once_both_count(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise two checkers have voted and the request waits for ever."""
    for number in range(5):
        run_id = run_of({"a.csv": b"n\n500\n"}, f"run-{number}")
        name = site.releases.request(ANA, PROJECT, Choice(run_id), Case("a", "b")).request.id
        errors = at_once(
            lambda name=name: site.releases.vote(CHRIS, name, Vote.APPROVED),  # type: ignore[misc]
            lambda name=name: site.releases.vote(CARA, name, Vote.APPROVED),  # type: ignore[misc]
        )
        assert errors == []
        assert site.releases.show(ANA, name).request.state is ReleaseState.APPROVED


def test_a_withdrawal_and_a_publication_at_once_leave_one_truth(
    site: Site, run_of: Callable[..., str]
) -> None:
    """Otherwise a withdrawn request's files leave the node."""
    for number in range(5):
        run_id = run_of({"a.csv": b"n\n500\n"}, f"run-{number}")
        name = site.releases.request(ANA, PROJECT, Choice(run_id), Case("a", "b")).request.id
        for checker in (CHRIS, CARA):
            site.releases.vote(checker, name, Vote.APPROVED)
        errors = at_once(
            lambda name=name: site.releases.withdraw(ANA, name),  # type: ignore[misc]
            site.publisher.publish_approved,
            site.publisher.publish_approved,
        )
        assert all(isinstance(error, RefusedError) for error in errors)
        state = site.releases.show(ANA, name).request.state
        assert state in (ReleaseState.WITHDRAWN, ReleaseState.RELEASED)
        assert site.zone.holds(name) == (state is ReleaseState.RELEASED)


def test_one_approver_twice_at_once_counts_once(site: Site, repo: CodeRepo) -> None:
    """Attack 18: the same approver twice, faster than the node can look."""
    site.set_rules(approvals=2)
    commit = repo.commit({"a": "1"})
    site.code.submit(ANA, PROJECT, commit)
    errors = at_once(*[lambda: site.code.approve(IDA, PROJECT, commit)] * 3)
    assert len(errors) == 2
    assert site.code.show(ANA, PROJECT, commit).state is CodeRevisionState.UNDER_REVIEW


def test_two_revisions_approved_at_once_leave_one_approved(site: Site, repo: CodeRepo) -> None:
    """Otherwise which code runs is chance."""
    commits = [repo.commit({"a": str(number)}) for number in range(2)]
    for commit in commits:
        site.code.submit(ANA, PROJECT, commit)
    errors = at_once(
        lambda: site.code.approve(IDA, PROJECT, commits[0]),
        lambda: site.code.approve(IVO, PROJECT, commits[1]),
    )
    assert errors == []
    states = sorted(revision.state for revision in site.code.list(ANA, PROJECT))
    assert states == [CodeRevisionState.APPROVED, CodeRevisionState.REPLACED]
