"""Webhooks of Code Repos' servers: `POST /webhooks/code/<project>`, signed with the project's secret.

GitHub, Gitea and Forgejo sign the body (`X-Hub-Signature-256`, HMAC-SHA256), GitLab sends the secret
(`X-Gitlab-Token`). No session is needed and none counts. Whatever is wrong, and whether there is such a
project, the answer is the same 401: nobody learns here what the node has.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phems.errors import RefusedError
from phems.gateway.client_address import client_of
from phems.gateway.replies import error_reply

if TYPE_CHECKING:
    from phems.services.code_webhooks import CodeWebhooks

WEBHOOK_PATH = "/webhooks/code/{project}"
IS_WEBHOOK = re.compile(r"/webhooks/code/[^/]+\Z")
SIGNATURE, TOKEN = "x-hub-signature-256", "x-gitlab-token"
_KIND = "sha256"
_ACCEPTED = 202


class WebhookDoor:
    """The one address, as a route."""

    def __init__(self, webhooks: CodeWebhooks) -> None:
        self._webhooks = webhooks
        # Held against when there is no such project, so that this takes as long.
        self._nobodys = secrets.token_bytes(32)

    def routes(self) -> list[Route]:
        """Its address."""
        return [Route(WEBHOOK_PATH, self.deliver, methods=["POST"])]

    async def deliver(self, request: Request) -> Response:
        """Verify the signature over the body; then ask for the project to be brought in step."""
        project = request.path_params["project"]
        known = (await run_in_threadpool(self._webhooks.secrets)).get(project)
        is_right = await self._is_signed(request, known if known is not None else self._nobodys)
        if known is None or not is_right:
            error = RefusedError(
                "The webhook is not taken.",
                why="its signature is missing or wrong, or this node takes none at this address.",
                remedy="Give the Code Repo's server the secret that code.webhook_secret in node.yaml names.",
            )
            return error_reply(request, error, status=401)
        await run_in_threadpool(self._webhooks.deliver, project, address=client_of(request))
        return JSONResponse({"status": "accepted"}, status_code=_ACCEPTED)

    @staticmethod
    async def _is_signed(request: Request, secret: bytes) -> bool:
        """The body is hashed as it comes, and kept nowhere: what it says is not read."""
        code = hmac.new(secret, digestmod=_KIND)
        async for part in request.stream():
            code.update(part)
        signatures, tokens = request.headers.getlist(SIGNATURE), request.headers.getlist(TOKEN)
        if len(signatures) + len(tokens) != 1:
            return False
        if tokens:
            return hmac.compare_digest(tokens[0].encode("latin-1"), secret)
        return hmac.compare_digest(signatures[0].encode("latin-1"), f"{_KIND}={code.hexdigest()}".encode())
