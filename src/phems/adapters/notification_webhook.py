"""Notifications by a webhook: one signed POST for each, to where node.yaml says: `NotificationChannel`."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

import httpx

from phems.domain.canonical import canonical
from phems.domain.notifications import Notification
from phems.errors import UnavailableError

SECONDS = 20.0
SIGNATURE = "X-Phems-Signature"
TIMESTAMP = "X-Phems-Timestamp"


class WebhookChannel:
    """Posts what waits, with all whom it waits for."""

    def __init__(self, url: str, secret: Callable[[], str], *, node: str) -> None:
        self._url = url
        self._secret = secret
        self._node = node

    def send(self, notification: Notification, *, address: str, text: str, link: str) -> None:
        """See the port. `address` is a person's, and of no use here."""
        del address
        body = canonical(
            {
                "id": notification.number,
                "node": self._node,
                "kind": notification.notice.kind,
                "project": notification.notice.project,
                "people": list(notification.people),
                "text": text,
                "link": link,
            }
        )
        at = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: at,
            SIGNATURE: f"sha256={signature(self._secret(), at, body)}",
        }
        try:
            answer = httpx.post(
                self._url, content=body, headers=headers, timeout=SECONDS, follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._untaken(type(error).__name__) from None
        if not answer.is_success:
            raise self._untaken(f"it answered {answer.status_code}")

    def _untaken(self, why: str) -> UnavailableError:
        return UnavailableError(
            "The webhook was not taken.",
            why=f"{why}.",
            remedy="See notifications.webhook in node.yaml; it is tried again.",
        )


def signature(secret: str, at: str, body: bytes) -> str:
    """HMAC-SHA256 over the time and the body, hexadecimal: a receiver refuses what is old or another's."""
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
