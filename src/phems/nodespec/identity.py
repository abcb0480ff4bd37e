"""Who people are, in the node spec: sign-in by password or by an identity provider, groups, and sessions."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from phems.nodespec.base import Section
from phems.nodespec.names import Name, SecretPlace, StrictBool, StrictInt, Title, matching, refuse

_ISSUER = r"https?://[A-Za-z0-9.\[\]:-]+(/[^\s?#]*)?"
_LOCAL_ISSUER = r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
_WORD = r"[\x21\x23-\x5b\x5d-\x7e]{1,200}"


def _issuer(value: str) -> str:
    plain = value.startswith("http://") and re.fullmatch(_LOCAL_ISSUER, value) is None
    if re.fullmatch(_ISSUER, value, re.ASCII) is None or plain:
        raise refuse(
            f"{value[:80]!r} is not the address of an identity provider",
            why="it is an https address without query; http is for a provider on this machine alone",
            remedy="write the issuer as the provider's discovery document has it",
        )
    return value


_word = matching(
    _WORD,
    what="{value} is not one word",
    why="it is sent to the provider as it is",
    remedy="write it as the provider names it",
    flags=re.UNICODE,
)


Issuer = Annotated[str, AfterValidator(_issuer)]
Word = Annotated[str, AfterValidator(_word)]
NodeRole = Literal["operator", "auditor"]
SecondFactorRule = Literal["optional", "required"]
ProjectRole = Literal["data_analyst", "output_checker", "information_asset_owner"]


class Oidc(Section):
    """An OpenID Connect provider that people sign in with."""

    issuer: Issuer = Field(description="The provider's issuer, exactly as its discovery document has it.")
    client_id: Word = Field(description="What the provider calls this node.")
    client_secret: SecretPlace | None = Field(
        default=None,
        description="env:NAME or file:PATH (relative to node.yaml) of the client's secret; unset: a public "
        "client, with PKCE alone.",
    )
    title: Title = Field(default="your organisation", description="What the sign-in page calls the provider.")
    scopes: tuple[Word, ...] = Field(
        default=("openid", "profile"), description="What is asked for; openid must be among it."
    )
    name_claim: Word = Field(
        default="preferred_username",
        description="The claim that names a person here: unique, and not theirs to change.",
    )
    groups_claim: Word = Field(default="groups", description="The claim that lists a person's groups.")
    groups_kept_days: StrictInt = Field(
        default=30,
        ge=1,
        le=366,
        description="How long after their last sign-in a person's groups still count: for their tokens and "
        "for votes and approvals that they gave.",
    )

    @model_validator(mode="after")
    def _asks_for_openid(self) -> Self:
        if "openid" not in self.scopes:
            raise refuse(
                "scopes lacks openid",
                why="without it the provider does not say who somebody is",
                remedy="add openid to scopes",
            )
        return self


class GroupRoles(Section):
    """What the people of one group may do here."""

    roles: tuple[NodeRole, ...] = Field(default=(), description="Roles on the whole node.")
    projects: dict[Name, tuple[ProjectRole, ...]] = Field(
        default={}, description="Roles in projects, by the project's name."
    )


class Sessions(Section):
    """How long somebody stays signed in to the gateway."""

    idle_minutes: StrictInt = Field(
        default=60, ge=1, le=10_080, description="A session that is not used for so long ends."
    )
    hours: StrictInt = Field(
        default=12, ge=1, le=720, description="A session ends after so long, however much it is used."
    )


class Identity(Section):
    """Who people are, and how they sign in."""

    local: StrictBool = Field(
        default=True, description="Whether people may sign in with a password of this node's own."
    )
    second_factor: SecondFactorRule = Field(
        default="optional",
        description="Whether who signs in with a password here may set up a second factor (codes of an app "
        "on a phone), or must at once. The identity provider's people and tokens are not asked.",
    )
    oidc: Oidc | None = Field(default=None, description="The identity provider; unset: none.")
    groups: dict[str, GroupRoles] = Field(
        default={}, description="What the provider's groups may do here, by the group's name."
    )
    sessions: Sessions = Field(default=Sessions(), description="How long somebody stays signed in.")

    @model_validator(mode="after")
    def _somebody_can_sign_in(self) -> Self:
        if not self.local and self.oidc is None:
            raise refuse(
                "nobody can sign in",
                why="local is false, and there is no oidc",
                remedy="write identity.oidc, or leave local out",
            )
        return self
