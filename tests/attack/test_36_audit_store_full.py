"""Case 36: the audit store is full or down: privileged acts are refused, and the log has no gap later.

Nothing here stands in for the real thing: the table refuses with Postgres's own error for a full disk, the
folder of the checkpoint lies on a disk without room, the database takes no connections, the anchor is away.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attacked_node import ANA, ANNEX, IVO, WARD, WEI, AttackedNode, commit, until, write_node_repo
from sqlalchemy import text
from tests.folders import open_folder

from phems.adapters.signing import signature_matches
from phems.domain.actors import Actor
from phems.domain.code_revisions import CodeRevisionState
from phems.errors import UnavailableError
from phems.services.audit_export import verify_lines

AUDE = Actor("aude")
Outage = Callable[[AttackedNode], AbstractContextManager[None]]


@contextmanager
def table_without_room(site: AttackedNode) -> Iterator[None]:
    """The disk of the database is full, as far as the audit log can tell."""
    engine = site.serving.node.database.engine("admin")
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION audit.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER no_room BEFORE INSERT ON audit.entry FOR EACH ROW "
                "EXECUTE FUNCTION audit.no_room()"
            )
        )
    yield
    with engine.begin() as connection:
        connection.execute(text("DROP FUNCTION audit.no_room CASCADE"))


@contextmanager
def folder_without_room(site: AttackedNode) -> Iterator[None]:
    """The folder of the checkpoint lies on a disk of its own, and that is full."""
    audit = site.serving.paths.audit
    with tempfile.TemporaryDirectory() as kept:
        shutil.copytree(audit, kept, dirs_exist_ok=True)
        disk = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", audit]
        if subprocess.run(disk, check=False, capture_output=True).returncode:
            pytest.skip("a small disk can be mounted only as root, outside most containers")
        try:
            shutil.copytree(kept, audit, dirs_exist_ok=True)
            fill(audit / "filler")
            yield
        finally:
            subprocess.run(["umount", "--lazy", audit], check=True)


def fill(file: Path) -> None:
    """Write until there is no room."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass


@contextmanager
def database_down(site: AttackedNode) -> Iterator[None]:
    """The database takes no connections, and those that were there are cut."""
    database = site.serving.node.database
    name = database.base.database
    maintenance = database.in_database("postgres")
    with maintenance, maintenance.engine("admin").connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(cut), {"name": name})
        yield
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))


OUTAGES: dict[str, Outage] = {
    "the table has no room": table_without_room,
    "the checkpoint's folder has no room": folder_without_room,
    "the database is down": database_down,
}


def sizes(site: AttackedNode) -> list[int]:
    return [entry.seq for entry in site.audit()]


def act_again(site: AttackedNode, act: Callable[[], Any]) -> Any:
    """The act, once the outage is over; the database may need a moment to take connections."""

    def tried() -> Any:
        try:
            return act() or True
        except UnavailableError:
            return None

    return until(tried, 30, "acts are possible again")


def check_whole(site: AttackedNode) -> None:
    """No gap, and an export that convinces somebody else."""
    log = site.serving.node.audit
    lines = list(log.export(AUDE))
    found = verify_lines(lambda: lines, check=signature_matches, trusted=log.key)
    assert found.finding is None
    numbers = sizes(site)
    assert numbers == list(range(1, len(numbers) + 1))


def is_refused(act: Callable[[], Any]) -> bool:
    try:
        act()
    except UnavailableError:
        return True
    return False


@pytest.mark.parametrize("how", OUTAGES)
def test_no_act_while_it_cannot_be_recorded(module_site: AttackedNode, how: str) -> None:
    """Otherwise filling a disk would be a way to act without a trace."""
    site = module_site
    code = site.serving.node.code_revisions
    users = site.serving.node.users
    commit(site.folder / "repos" / ANNEX, f"Before: {how}")
    revision = code.submit(ANA, ANNEX)
    before = sizes(site)[-1]
    acts: dict[str, Callable[[], Any]] = {
        "approve": lambda: code.approve(IVO, ANNEX, revision.commit[:12]),
        "reject": lambda: code.reject(WEI, ANNEX, revision.commit[:12], reason="no"),
        "add a user": lambda: users.add_user(AUDE, f"user-{len(how)}"),
        "read the log": lambda: site.serving.node.audit.tail(AUDE, 1),
        "export the log": lambda: list(site.serving.node.audit.export(AUDE)),
    }
    with OUTAGES[how](site):
        went_through = [name for name, act in acts.items() if not is_refused(act)]
    assert went_through == []
    act_again(site, lambda: site.serving.node.audit.tail(AUDE, 1))
    (found,) = [each for each in code.list(ANA, ANNEX) if each.commit == revision.commit]
    assert found.state in {CodeRevisionState.SUBMITTED, CodeRevisionState.UNDER_REVIEW}
    assert not found.approvals
    acts_since = {entry.action for entry in site.audit() if entry.seq > before}
    assert not acts_since & {"code.approve", "code.reject", "user.add"}
    code.reject(WEI, ANNEX, revision.commit[:12], reason="it was a test")
    check_whole(site)


def test_no_run_starts_while_its_admission_cannot_be_recorded(module_site: AttackedNode) -> None:
    site = module_site
    with table_without_room(site):
        run_id = site.launch(WARD, "count_job")
        assert site.wait(run_id).status.value == "FAILURE"
    assert not site.started_steps(run_id)
    run_id = site.launch(WARD, "count_job")
    assert site.wait(run_id).is_success
    check_whole(site)


def test_no_act_while_the_outside_anchor_lacks_entries_for_too_long(sandbox: None, tmp_path: Path) -> None:
    """`on_failure: refuse`: what nobody outside can vouch for does not happen."""
    share = tmp_path / "share"
    share.mkdir()
    with open_folder() as folder:
        anchor = {"folder": {"path": str(share)}, "on_failure": "refuse", "minutes": 1, "every_seconds": 1}
        write_node_repo(folder / "site", lambda spec: spec.update(audit={"anchors": {"share": anchor}}))
        with AttackedNode(folder / "site", approve=()) as site:
            until(lambda: anchored(share), 20, "the node was anchored")
            share.rename(share.with_name("away"))
            code = site.serving.node.code_revisions
            revision = code.submit(ANA, WARD)
            with (
                late_at_once(site),
                pytest.raises(UnavailableError, match="anchor share of the"),
            ):
                code.approve(WEI, WARD, revision.commit[:12])
            share.with_name("away").rename(share)
            code.approve(WEI, WARD, revision.commit[:12])
            until(lambda: anchored(share) == sizes(site)[-1], 20, "the node was anchored again")
            check_whole(site)


def anchored(share: Path) -> int:
    return max((int(path.stem) for path in share.glob("*.checkpoint")), default=0)


@contextmanager
def late_at_once(site: AttackedNode) -> Iterator[None]:
    """As if the minute that an entry may be missing had passed."""
    anchors = site.serving.node.anchors
    assert anchors is not None
    rules = anchors.rules
    anchors.rules = tuple(replace(rule, within=timedelta(0)) for rule in rules)
    yield
    anchors.rules = rules
