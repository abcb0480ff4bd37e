"""Logins of projects at the broker: brought about from what is there, and changing nothing that is right.

The broker is no part of the transaction that an audit entry is written in. So the entry is written first, and
says what will be done; should it fail, a second entry says how far it came. Nothing is done at the broker
without an entry.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from phems.domain.actors import Actor
from phems.errors import NotFoundError, PhemsError
from phems.services.ports import Governance
from phems.services.ports.broker import BrokerAdmin, BrokerLogin, BrokerLoginStore, BrokerUser

PASSWORD_BYTES = 32
ACTION = "broker.login"

Step = tuple[str, Callable[[], None]]
"""What is to be done, in words, and the doing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginReport:
    """A project's login, and what was done about it: nothing, when all was right."""

    project: str
    vhost: str
    user: str
    changes: tuple[str, ...]


class BrokerLogins:
    """The use case. `vhost_of(project)` names a project's vhost, which its user is called by, too."""

    def __init__(
        self,
        governance: Governance,
        admin: BrokerAdmin,
        store: BrokerLoginStore,
        vhost_of: Callable[[str], str],
    ) -> None:
        self._governance = governance
        self._admin = admin
        self._store = store
        self._vhost_of = vhost_of

    def bring_about(
        self, actor: Actor, projects: Sequence[str], *, rotate: str | None = None
    ) -> Sequence[LoginReport]:
        """A vhost, a user with rights there alone and a login file for each project; `rotate` names one that
        gets another password."""
        if rotate is not None and rotate not in projects:
            raise NotFoundError(
                f"There is no project {rotate!r}.",
                why=f"Projects here: {', '.join(projects) or 'none'}.",
                remedy="phems project list",
            )
        return [self._of(actor, project, rotated=project == rotate) for project in projects]

    def _of(self, actor: Actor, project: str, *, rotated: bool) -> LoginReport:
        name = self._vhost_of(project)
        kept = self._store.find(project)
        fits = kept is not None and (kept.vhost, kept.user) == (name, name)
        login = kept if kept is not None and fits else BrokerLogin(name, name, _password())
        if rotated:
            login = replace(login, password=_password())
        # The file before the user: a login that the broker does not take yet is mended by the next try.
        steps: list[Step] = (
            [] if login == kept else [("login kept", partial(self._store.save, project, login))]
        )
        steps += self._at_broker(login)
        changes = tuple(words for words, _ in steps)
        if steps:
            self._do(actor, project, login, steps)
        return LoginReport(project=project, vhost=login.vhost, user=login.user, changes=changes)

    def _at_broker(self, login: BrokerLogin) -> Iterator[Step]:
        admin = self._admin
        if not admin.has_vhost(login.vhost):
            yield "vhost made", partial(admin.make_vhost, login.vhost)
        found = admin.user(login)
        if found is None:
            yield "user made", partial(admin.put_user, login)
        elif not found.has_password:
            yield "password set", partial(admin.put_user, login)
        elif found.tags:
            yield f"tags taken: {', '.join(found.tags)}", partial(admin.put_user, login)
        if found is None or login.vhost not in found.full_rights:
            yield "rights given", partial(admin.give_rights, login)
        for vhost in _elsewhere(login, found):
            yield f"rights in {vhost} taken", partial(admin.take_rights, login.user, vhost)

    def _do(self, actor: Actor, project: str, login: BrokerLogin, steps: Sequence[Step]) -> None:
        details = {"vhost": login.vhost, "user": login.user, "changes": [words for words, _ in steps]}
        with self._governance.transaction() as tx:
            tx.audit.append(actor, ACTION, project, project=project, details=details)
        done: list[str] = []
        try:
            for words, act in steps:
                act()
                done.append(words)
        except PhemsError as error:
            failed = {**details, "done": done, "why": error.logged or error.what}
            with self._governance.transaction() as tx:
                tx.audit.append(actor, ACTION, project, project=project, result="failed", details=failed)
            raise


def _elsewhere(login: BrokerLogin, found: BrokerUser | None) -> Iterator[str]:
    if found is not None:
        yield from (vhost for vhost in (*found.full_rights, *found.other_rights) if vhost != login.vhost)


def _password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)
