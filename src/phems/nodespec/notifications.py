"""The section `notifications` of node.yaml: how people hear that they are waited for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from phems.nodespec.base import Section
from phems.nodespec.names import SecretPlace, StrictInt, Title, matching, refuse

_HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]"
_SENDER = r"[^@\s<>\"\r\n]+@[A-Za-z0-9.-]+"
HTTPS_OR_HERE = r"https://[^\s/?#@]+(/[^\s#]*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/[^\s#]*)?"

Host = Annotated[
    str,
    AfterValidator(
        matching(
            _HOST,
            what="{value} is not the name of a machine",
            why="the port and the kind of connection stand in keys of their own",
            remedy="write the name alone, as in mail.hospital.example",
        )
    ),
]
Sender = Annotated[
    str,
    AfterValidator(
        matching(
            _SENDER,
            what="{value} is not a mail address",
            why="mail servers take nothing else as a sender",
            remedy="write it alone, as in data-node@hospital.example",
        )
    ),
]
WebhookUrl = Annotated[
    str,
    AfterValidator(
        matching(
            HTTPS_OR_HERE,
            what="{value} is no address that notifications may go to",
            why="they go by https, and in the clear to this machine alone",
            remedy="write it as in https://chat.hospital.example/hooks/data-node",
        )
    ),
]


class Smtp(Section):
    """The mail server that takes the node's mail."""

    host: Host = Field(description="Its name.")
    port: StrictInt = Field(default=587, ge=1, le=65535, description="465 is usual with tls.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="Its certificate is checked with both; none is for a server on this machine.",
    )
    sender: Sender = Field(description="The address that mail comes from.")
    user: Title | None = Field(default=None, description="Whom the node signs in as; unset: it does not.")
    password: SecretPlace | None = Field(
        default=None, description="env:NAME or file:PATH (relative to node.yaml) of the password."
    )

    @model_validator(mode="after")
    def _signs_in_whole(self) -> Self:
        if (self.user is None) is not (self.password is None):
            raise refuse(
                "user and password come together",
                why="with one of them nobody is signed in",
                remedy="write both, or none",
            )
        if self.user is not None and self.security == "none":
            raise refuse(
                "a password would go in the clear",
                why="security is none",
                remedy="write security: starttls, or tls",
            )
        return self


class Webhook(Section):
    """Another program that is told, such as a chat."""

    url: WebhookUrl = Field(description="Where it takes a POST.")
    secret: SecretPlace = Field(
        description="env:NAME or file:PATH (relative to node.yaml) of the secret that each is signed with."
    )


class Notifications(Section):
    """How people hear that they are waited for. Nothing is sent that names a file or holds data."""

    smtp: Smtp | None = Field(default=None, description="By mail, to the address of each user.")
    webhook: Webhook | None = Field(default=None, description="By one POST for each thing that waits.")
