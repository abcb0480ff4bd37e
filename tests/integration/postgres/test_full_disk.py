"""A full disk: an act that cannot be recorded does not happen, and the node goes on when there is room."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from phems.adapters.postgres.database import Database, open_embedded
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.process import wait_until
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.domain.actors import NODE
from phems.domain.audit_verification import verify
from phems.errors import UnavailableError

SmallDisk = Callable[[int], Path]


@pytest.fixture
def small_disk(short_folder: Path) -> Iterator[SmallDisk]:
    """Makes a disk of so many megabytes."""
    mounted: list[Path] = []

    def make(megabytes: int) -> Path:
        folder = short_folder / f"disk{megabytes}"
        folder.mkdir()
        size = f"size={megabytes}m"
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=False)
        if made.returncode != 0:
            pytest.skip("a small disk can be mounted only as root, outside most containers")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def start(folder: Path) -> Database:
    return open_embedded(
        data=folder / "data" / "postgres",
        keys=folder / "data" / "keys",
        runtime_dir=folder / "run",
        start=True,
    )


def act_until_refused(act: Callable[[], None]) -> None:
    for _ in range(1000):
        act()


def test_a_first_start_without_room_says_so_and_leaves_nothing_half_made(small_disk: SmallDisk) -> None:
    disk = small_disk(20)
    with pytest.raises(UnavailableError, match="No space left") as refused:
        start(disk)
    assert "df -h" in refused.value.remedy
    assert not (disk / "data" / "postgres").exists()
    assert not (disk / "data" / "postgres.unfinished").exists()


def test_acts_stop_while_the_disk_is_full_and_go_on_without_a_gap_after(small_disk: SmallDisk) -> None:
    disk = small_disk(120)
    with start(disk) as database:
        governance = PostgresGovernance(database.engine("governance"))
        acts = 0

        def act() -> None:
            nonlocal acts
            with governance.transaction() as tx:
                tx.audit.append(NODE, "run.admit", "x" * 100_000, details={"n": acts})
            acts += 1

        act()
        room = shutil.disk_usage(disk).free
        (disk / "filler").write_bytes(bytes(room - 1_000_000))
        with pytest.raises(UnavailableError):
            act_until_refused(act)
        (disk / "filler").unlink()

        def acts_again() -> bool:
            try:
                act()
            except UnavailableError:
                return False
            return True

        assert wait_until(acts_again, seconds=60)
        with governance.transaction() as tx:
            entries = list(tx.audit.entries())
        assert [entry.seq for entry in entries] == list(range(1, acts + 1))
        assert verify(entries) is None


def test_acts_that_block_each_other_are_told_to_try_again(database: Database) -> None:
    with (
        database.engine("governance").connect() as holder,
        database.engine("governance").connect() as waiter,
    ):
        holder.execute(text("LOCK TABLE governance.users IN EXCLUSIVE MODE"))
        waiter.execute(text("SET LOCAL lock_timeout = '50ms'"))
        with pytest.raises(UnavailableError, match="too busy"), database_failures():
            waiter.execute(text("LOCK TABLE governance.users IN EXCLUSIVE MODE"))


def test_room_that_the_database_lacks_is_told_apart_from_a_database_that_is_away(database: Database) -> None:
    full = text("DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$")
    with (
        database.engine("governance").connect() as connection,
        pytest.raises(UnavailableError, match="no room left"),
        database_failures(),
    ):
        connection.execute(full)
