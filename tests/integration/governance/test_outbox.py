"""What a federation coordinator is told: released packages, in an order that never changes, and their end."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from tests.integration.governance.governed_site import ANA, IDA, OTHER, PROJECT, Site
from tests.integration.governance.released import FILES, approved, released

from phems.domain.release_outbox import PackageEvent
from phems.errors import InputError
from phems.services.outbox import MOST


def several(site: Site, run_of: Callable[..., str], number: int) -> list[str]:
    """The names of several requests, released one after another."""
    names = []
    for count in range(number):
        files = {name: content + str(count).encode() for name, content in FILES.items()}
        names.append(released(site, lambda files, count=count: run_of(files, f"run-{count}"), files).name)
    return names


def test_pages_give_every_release_once_and_in_order(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise a coordinator misses a package, or fetches one for ever."""
    assert site.outbox.released().items == []
    names = several(site, run_of, 3)
    first = site.outbox.released(limit=2)
    assert [item.request for item in first.items] == names[:2]
    assert first.more
    second = site.outbox.released(first.next_cursor, limit=2)
    assert [item.request for item in second.items] == names[2:]
    assert not second.more
    nothing = site.outbox.released(second.next_cursor)
    assert (nothing.items, nothing.next_cursor) == ([], second.next_cursor)
    assert site.outbox.released(first.items[0].cursor, limit=1).items == [first.items[1]]


def test_nothing_that_was_not_released_is_named(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise a coordinator learns what was asked for and refused."""
    approved(site, run_of)
    assert site.outbox.released().items == []
    site.publisher.publish_approved()
    [item] = site.outbox.released().items
    assert (item.state, item.project) == ("RELEASED", PROJECT)
    assert item.manifest_digest == site.releases.show(ANA, item.request).request.package_digest


def test_a_revoked_package_leaves_a_tombstone(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise a coordinator goes on using what was called back."""
    one, other = several(site, run_of, 2)
    cursor = site.outbox.released().next_cursor
    site.releases.revoke(IDA, one, reason="A patient objected")
    # From this moment on, even before the notice lies in the package.
    states = {item.request: item.state for item in site.outbox.released().items}
    assert states == {one: "REVOKED", other: "RELEASED"}
    site.publisher.publish_approved()
    site.publisher.publish_approved()
    [tombstone] = site.outbox.released(cursor).items
    assert (tombstone.request, tombstone.state) == (one, "REVOKED")
    assert tombstone.manifest_digest is tombstone.released_at is None
    assert {path.name for path in site.zone.path(one).iterdir()} >= {"REVOKED.json", "REVOKED.dsse.json"}


def test_a_coordinator_sees_its_projects_alone(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise one federation reads another's releases, or skips lines for those it may not see."""
    [name] = several(site, run_of, 1)
    assert [item.request for item in site.outbox.released(projects={PROJECT}).items] == [name]
    for projects in ({OTHER}, set[str]()):
        assert site.outbox.released(projects=projects).items == []


@pytest.mark.parametrize("limit", [0, MOST + 1])
def test_a_page_has_bounds(site: Site, limit: int) -> None:
    """Otherwise one question reads the whole history."""
    with pytest.raises(InputError, match="cannot be had"):
        site.outbox.released(limit=limit)


def test_numbers_rise_in_the_order_of_commits(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise a reader with a cursor passes by a line that commits later with a lower number."""
    one, other = several(site, run_of, 2)
    told, order = threading.Event(), []

    def tell_second() -> None:
        told.wait(10)
        with site.governance.transaction() as work:
            work.packages.tell(other, PackageEvent.REVOKED, site.clock.now())
        order.append(other)

    thread = threading.Thread(target=tell_second)
    thread.start()
    with site.governance.transaction() as work:
        work.packages.tell(one, PackageEvent.REVOKED, site.clock.now())
        told.set()
        thread.join(0.3)
        order.append(one)
    thread.join()
    assert order == [one, other]
    with site.governance.transaction() as work:
        events = work.packages.told(after=2, limit=9)
    assert [(event.number, event.request_id) for event in events] == [(3, one), (4, other)]


def test_the_governance_role_cannot_take_a_line_back(site: Site, run_of: Callable[..., str]) -> None:
    """Otherwise what a coordinator was told can be made untold."""
    several(site, run_of, 1)
    engine = create_engine(site.governance._engine.url)
    for table in ("release_outbox", "release_package_parts"):
        for statement in (
            f"DELETE FROM governance.{table}",  # noqa: S608
            f"UPDATE governance.{table} SET request_id = 'x'",  # noqa: S608
        ):
            with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
                connection.execute(text(statement))
    engine.dispose()
