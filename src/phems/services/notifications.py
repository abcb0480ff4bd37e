"""Tells people that they are waited for, by mail and by a webhook.

What waits for whom is read from the state of things itself, so nothing is forgotten by a crash or an outage:
whatever was not told yet is put into the outbox at the next look, each notice once. What lies there is sent
outside of any transaction, and tried again with growing pauses, so no act ever waits for a mail server. A
crash between sending and noting it sends once more.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING

from phems.domain.notifications import (
    Channel,
    Notice,
    Notification,
    ending_grants,
    next_try,
    notice_of,
    path,
    sentence,
)
from phems.domain.permissions import Role
from phems.domain.waiting import Task
from phems.errors import PhemsError
from phems.services.membership import RolesIn
from phems.services.ports import Governance
from phems.services.ports.clock import Clock
from phems.services.ports.notifications import NotificationChannel

if TYPE_CHECKING:
    from phems.services.ports.users import User

_LOG = logging.getLogger("phems.notifier")
AT_ONCE = 50

TasksOf = Callable[[Collection[str], RolesIn], Mapping[str, Collection[Task]]]
RolesAmong = Callable[[Collection["User"]], RolesIn]
"""The roles of users whose rows are at hand: a look at all of them asks nothing for each."""


class Notifier:
    """The use case. `grants()` gives the last days of each project's grants that have one."""

    def __init__(
        self,
        governance: Governance,
        channels: Mapping[Channel, NotificationChannel],
        *,
        tasks_of: TasksOf,
        roles_among: RolesAmong,
        grants: Callable[[], Mapping[str, Collection[date]]],
        url: str,
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._channels = channels
        self._tasks_of = tasks_of
        self._roles_among = roles_among
        self._grants = grants
        self._url = url
        self._clock = clock

    def collect(self) -> int:
        """Put into the outbox what has not been told yet; gives how much that was."""
        with self._governance.transaction() as work:
            users = [user for user in work.users.all() if user.disabled_at is None]
        told = self._told(users)
        now = self._clock.now()
        added = 0
        with self._governance.transaction() as work:
            for notice, people in told.items():
                if "webhook" in self._channels:
                    added += work.notifications.add("webhook", people, notice, now)
                for user in users:
                    if "mail" in self._channels and user.name in people and user.email:
                        added += work.notifications.add("mail", [user.name], notice, now)
        return added

    def deliver(self) -> float | None:
        """Send what is due; gives after how many seconds to come back, None when nothing waits."""
        with self._governance.transaction() as work:
            due = work.notifications.due(self._clock.now(), limit=AT_ONCE)
            addresses = {user.name: user.email or "" for user in work.users.all()} if due else {}
        for notification in due:
            self._send(notification, addresses)
        with self._governance.transaction() as work:
            following = work.notifications.next_due()
        return None if following is None else max(0.0, (following - self._clock.now()).total_seconds())

    def _told(self, users: Collection[User]) -> Mapping[Notice, Collection[str]]:
        told: defaultdict[Notice, list[str]] = defaultdict(list)
        grants = ending_grants(self._grants(), self._clock.now())
        roles_in = self._roles_among(users)
        tasks = self._tasks_of([user.name for user in users], roles_in)
        for user in users:
            notices = [notice for task in tasks[user.name] if (notice := notice_of(task)) is not None]
            notices += [
                notice
                for notice in grants
                if Role.INFORMATION_ASSET_OWNER in roles_in(user.name, notice.project)
            ]
            for notice in notices:
                told[notice].append(user.name)
        return told

    def _send(self, notification: Notification, addresses: Mapping[str, str]) -> None:
        channel = self._channels.get(notification.channel)
        address = addresses.get(notification.people[0], "") if notification.channel == "mail" else ""
        if channel is None or (notification.channel == "mail" and not address):
            self._failed(notification, "the way, or the address, is gone", is_final=True)
            return
        notice = notification.notice
        try:
            channel.send(notification, address=address, text=sentence(notice), link=self._url + path(notice))
        except PhemsError as error:
            _LOG.warning("notification %d did not arrive: %s", notification.number, error)
            self._failed(notification, error.what, is_final=False)
            return
        except Exception as error:  # noqa: BLE001 (a slip here must not keep the others back)
            _LOG.warning("notification %d could not be sent", notification.number, exc_info=True)
            self._failed(notification, type(error).__name__, is_final=False)
            return
        with self._governance.transaction() as work:
            work.notifications.sent(notification.number, self._clock.now())

    def _failed(self, notification: Notification, why: str, *, is_final: bool) -> None:
        again = None if is_final else next_try(notification.attempts + 1, self._clock.now())
        with self._governance.transaction() as work:
            work.notifications.failed(notification.number, again, why)
