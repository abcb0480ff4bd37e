"""The notifier of a node, wired to the mail server and the webhook of node.yaml."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING

from phems.adapters.secret_places import private_secret_at
from phems.services.notifications import Notifier

if TYPE_CHECKING:
    from phems.bootstrap.node import Node
    from phems.domain.notifications import Channel
    from phems.nodespec import NodeSpec
    from phems.services.ports.notifications import NotificationChannel


def notifier_of(node: Node, url: str) -> Notifier | None:
    """None when node.yaml names no way to tell people."""
    channels = _channels(node)
    if not channels:
        return None
    return Notifier(
        node.governance,
        channels,
        tasks_of=node.my_work.tasks_of,
        roles_among=node.roles_among,
        grants=lambda: last_days(node.spec),
        url=url,
        clock=node.clock,
    )


def last_days(spec: NodeSpec) -> Mapping[str, Collection[date]]:
    """The last days of the grants that have one, by project."""
    found: defaultdict[str, list[date]] = defaultdict(list)
    for name, project in spec.projects.items():
        found[name] += [grant.expires for grant in project.data_grants if grant.expires is not None]
    return found


def _channels(node: Node) -> Mapping[Channel, NotificationChannel]:
    asked, folder = node.declared.notifications, node.paths.folder

    def secret(place: str | None, key: str) -> str | None:
        return private_secret_at(place, folder, os.environ, key=f"notifications.{key}")

    channels: dict[Channel, NotificationChannel] = {}
    if (smtp := asked.smtp) is not None:
        from phems.adapters.mail import MailChannel, MailServer

        server = MailServer(
            host=smtp.host,
            port=smtp.port,
            security=smtp.security,
            sender=smtp.sender,
            user=smtp.user,
            password=lambda: secret(smtp.password, "smtp.password"),
        )
        channels["mail"] = MailChannel(server, node=node.spec.node.name)
    if (webhook := asked.webhook) is not None:
        from phems.adapters.notification_webhook import WebhookChannel

        channels["webhook"] = WebhookChannel(
            webhook.url, lambda: secret(webhook.secret, "webhook.secret") or "", node=node.spec.node.name
        )
    return channels
