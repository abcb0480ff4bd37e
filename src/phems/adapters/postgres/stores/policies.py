"""Policy versions in Postgres."""

from __future__ import annotations

from sqlalchemy import Connection

from phems.domain.policy_versions import UNVERSIONED, PolicyVersion


class PostgresPoliciesStore:
    """`PolicyStore` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def current(self, project: str) -> PolicyVersion:  # noqa: ARG002 (versions come with the next change)
        """The version in force."""
        return UNVERSIONED
