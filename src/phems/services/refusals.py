"""Refused acts leave a trace: who tried what, and why it was refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from phems.domain.actors import Actor
from phems.errors import IntegrityError, RefusedError
from phems.services.ports import Governance


@contextmanager
def recorded_refusals(
    governance: Governance, actor: Actor, action: str, subject: str, *, project: str | None
) -> Iterator[None]:
    """Append an audit entry when the block is refused, in a transaction of its own; then go on raising.

    Put it around the act's own transaction, which is rolled back by then.
    """
    try:
        yield
    except (RefusedError, IntegrityError) as error:
        with governance.transaction() as work:
            work.audit.append(
                actor,
                action,
                subject,
                project=project,
                result="refused",
                details={"what": error.what, "why": error.why}
                if error.logged is None
                else {"what": error.logged},
            )
        raise
