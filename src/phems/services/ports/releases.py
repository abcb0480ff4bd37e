"""Release requests and packages as the use cases see them, within one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from phems.domain.release_states import ReleaseState
from phems.domain.releases import FrozenFile, ReleaseRequest


class ReleaseStore(Protocol):
    """Keeps release requests with all their turns; nothing is ever removed."""

    def get(self, request_id: str, *, lock: bool = False) -> ReleaseRequest | None:
        """A request; with `lock`, nobody else changes it until the transaction ends."""
        ...

    def of_project(
        self, project: str, *, limit: int | None = None, before: str | None = None
    ) -> Sequence[ReleaseRequest]:
        """Those of a project, newest first; `limit` of them; with `before`, those asked for before it."""
        ...

    def waiting_for(
        self, people: Collection[str], *, reviewed: Collection[str], own: Collection[str]
    ) -> Sequence[ReleaseRequest]:
        """What may wait for people: requests under review in `reviewed`, their own open ones in `own`."""
        ...

    def runs_named(self, project: str) -> frozenset[str]:
        """The runs whose files a request of the project has, in any turn and state."""
        ...

    def in_state(self, states: Collection[ReleaseState]) -> Sequence[str]:
        """The names of the requests in any of `states`, oldest first."""
        ...

    def with_file(self, project: str, sha256: str) -> Sequence[ReleaseRequest]:
        """Those of a project in whose present turn a file has these bytes, oldest first."""
        ...

    def save(self, request: ReleaseRequest) -> None:
        """Add it, or bring it up to date: files, votes and comments included."""
        ...

    def files_of_turn(self, request_id: str, turn: int) -> Sequence[FrozenFile]:
        """The files of an earlier turn, by path."""
        ...

    def announce(self, request_id: str) -> None:
        """Tell the publisher, once the transaction commits, to look at the request."""
        ...
