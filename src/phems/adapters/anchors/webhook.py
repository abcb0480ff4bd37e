"""An anchor that is a web service: the checkpoint is sent as it is, and any 2xx answer means that it is kept.

What the service has cannot be asked for; the node remembers what it has sent, and the service's keeper can
hold that against an exported log: phems audit verify FILE --anchor CHECKPOINT.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable

from phems.domain.checkpoints import Checkpoint
from phems.errors import UnavailableError

SECONDS = 10.0
_OK = range(200, 300)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A checkpoint goes where node.yaml says, and so does the token: nowhere else."""

    def redirect_request(self, *_asked: object) -> None:
        return None


class WebhookAnchor:
    """`Anchor` that POSTs to a URL; `token` is asked for at each use, so that it can be rotated."""

    def __init__(self, url: str, token: Callable[[], str | None] = lambda: None) -> None:
        self._url = url
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect)

    def submit(self, checkpoint: Checkpoint) -> None:
        """Send the checkpoint."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        token = self._token()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        # The node spec allows http and https alone.
        request = urllib.request.Request(self._url, str(checkpoint).encode(), headers, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            error.close()
            status = error.code
        except OSError as error:
            raise self._unavailable(f"it cannot be reached: {getattr(error, 'reason', error)}") from error
        if status not in _OK:
            raise self._unavailable(f"it answered {status}")

    def latest(self, known: int) -> Checkpoint | None:  # noqa: ARG002 (it cannot be asked)
        """None: it cannot be asked."""
        return None

    def _unavailable(self, why: str) -> UnavailableError:
        return UnavailableError(
            f"{self._url} does not take checkpoints.",
            why=f"{why}.",
            remedy="See that the service runs and that the token is right, then: phems audit anchor",
        )
