"""What stands for a user: tokens and sessions, seen and ended by whose they are, or by who manages users."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from phems.domain.authority import scope_of
from phems.gateway.api.asking import OWN, Cases, Person, check_changes_own, check_own, row
from phems.gateway.api.bodies import Body, Nothing
from phems.gateway.api.users import Manager, UserName
from phems.services.ports.users import ApiToken, Session

router = APIRouter(prefix="/users/{name}", tags=["user"])

GrantId = Annotated[str, Path(description="Its id: 16 hex digits.", pattern="^[0-9a-f]{16}$")]


class TokenWish(Body):
    """A token to make."""

    days: int = Field(default=90, ge=1, le=3650, description="Days until it expires.")
    label: str = Field(default="", max_length=100, description="What it is for.")
    projects: list[str] = Field(
        default=[], max_length=1000, description="The projects that it is for; none: all of its user's."
    )
    verbs: list[str] = Field(
        default=[], max_length=100, description="What it is for, as in `x-permission`; none: all."
    )
    read_only: bool = Field(default=False, description="Whether it is for what changes nothing alone.")


class UserToken(BaseModel):
    """A token just made: the one time it is shown."""

    token: str
    user: str
    expires_at: datetime


class TokenRow(BaseModel):
    """A token, without what is secret."""

    id: str
    label: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None
    projects: list[str] | None = Field(description="The projects that it is for; null: all of its user's.")
    verbs: list[str] | None = Field(description="What it is for; null: all that its user may do.")


class SessionRow(BaseModel):
    """A session, without what is secret."""

    id: str
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime
    method: str = Field(description="How it was signed in.")
    address: str
    agent: str


class Ended(BaseModel):
    """How many sessions were ended."""

    sessions_ended: int


class Subject(Body):
    """Who a user is at the identity provider."""

    subject: str = Field(min_length=1, max_length=256, description="The provider's sub claim.")


class Linked(BaseModel):
    """Where a user signs in from now on."""

    name: str
    issuer: str | None
    subject: str | None


@router.post("/link", **row("user.link", "user.manage"))
def link(cases: Cases, manager: Manager, name: UserName, body: Subject) -> Linked:
    """Have a user sign in at the identity provider from now on. Their password goes, their sessions end."""
    linked = cases.users.link(manager, name, body.subject)
    return Linked(name=linked.name, issuer=linked.issuer, subject=linked.subject)


@router.post("/second-factor/reset", **row("user.reset-second-factor", "user.manage", status_code=204))
def reset_second_factor(cases: Cases, manager: Manager, name: UserName, _body: Nothing) -> None:
    """Take a user's second factor away, for they have lost it. Their sessions end."""
    cases.users.reset_second_factor(manager, name)


@router.post("/tokens", **row("user.token", "user.manage", gives_secret=True, status_code=201))
def token(cases: Cases, manager: Manager, name: UserName, body: TokenWish) -> UserToken:
    """Make an API token for a user. For yourself, the account page makes one."""
    made = cases.users.issue_token(
        manager,
        name,
        lifetime=timedelta(days=body.days),
        label=body.label,
        scope=scope_of(body.projects, body.verbs, read_only=body.read_only, known=cases.spec.projects),
    )
    return UserToken(token=made.secret, user=made.user_name, expires_at=made.expires_at)


@router.get("/tokens", **row("user.tokens", OWN))
def tokens(cases: Cases, person: Person, name: UserName) -> list[TokenRow]:
    """List a user's tokens that are not ended, newest first: your own, or as one who manages users."""
    check_own(cases, person, name)
    return [_token(found) for found in cases.users.list_tokens(name)]


@router.post("/tokens/{token_id}/revoke", **row("user.revoke-token", OWN))
def revoke_token(cases: Cases, person: Person, name: UserName, token_id: GrantId, _body: Nothing) -> TokenRow:
    """End a token: it lets nobody in from now on."""
    check_changes_own(cases, person, name, "end tokens")
    return _token(cases.users.revoke_token(person, name, token_id))


@router.get("/sessions", **row("user.sessions", OWN))
def sessions(cases: Cases, person: Person, name: UserName) -> list[SessionRow]:
    """List a user's open sessions, newest first: your own, or as one who manages users."""
    check_own(cases, person, name)
    return [_session(found) for found in cases.users.list_sessions(name)]


@router.post("/sessions/{session_id}/end", **row("user.end-session", OWN, status_code=204))
def end_session(cases: Cases, person: Person, name: UserName, session_id: GrantId, _body: Nothing) -> None:
    """End a session of a user."""
    check_changes_own(cases, person, name, "end sessions")
    cases.users.end_session(person, name, session_id)


@router.post("/sessions/end", **row("user.end-sessions", OWN))
def end_sessions(cases: Cases, person: Person, name: UserName, _body: Nothing) -> Ended:
    """Sign a user out everywhere."""
    check_changes_own(cases, person, name, "end sessions")
    return Ended(sessions_ended=cases.users.end_sessions(person, name))


def _token(token: ApiToken) -> TokenRow:
    scope = token.scope
    return TokenRow(
        id=token.id,
        label=token.label,
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        projects=None if scope.projects is None else sorted(scope.projects),
        verbs=None if scope.verbs is None else sorted(scope.verbs),
    )


def _session(session: Session) -> SessionRow:
    return SessionRow(
        id=session.id,
        created_at=session.created_at,
        expires_at=session.expires_at,
        last_seen_at=session.last_seen_at,
        method=session.method,
        address=session.address,
        agent=session.agent,
    )
