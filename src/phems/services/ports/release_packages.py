"""Release packages as the use cases see them: what is kept of them, who signs them, what runs tell of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from phems.domain.release_facts import ReleaseFacts, RunTimes
    from phems.domain.release_outbox import OutboxEvent, PackageEvent


@dataclass(frozen=True)
class PackageRecord:
    """A release package: its generated parts, byte for byte, and when it was seen in the release zone."""

    request_id: str
    parts: Mapping[str, bytes]
    placed_at: datetime | None


class PackageStore(Protocol):
    """Keeps what was generated for each package, and what was told of it. Nothing is ever removed."""

    def add(self, request_id: str, parts: Mapping[str, bytes]) -> None:
        """Keep the parts of the package that is about to be placed."""
        ...

    def get(self, request_id: str) -> PackageRecord | None:
        """The package of a request that was released."""
        ...

    def mark_placed(self, request_id: str, at: datetime) -> None:
        """Note that the whole package lies in the release zone. Idempotent."""
        ...

    def unplaced(self) -> Sequence[str]:
        """The requests whose package may not lie in the release zone yet, by name."""
        ...

    def revoked(self) -> Sequence[str]:
        """The requests that were revoked after their package was recorded, and of which none was told yet."""
        ...

    def tell(self, request_id: str, event: PackageEvent, at: datetime) -> None:
        """Add an event to the outbox, once for each package. To be called by one process at a time."""
        ...

    def told(
        self, *, after: int, limit: int, projects: Collection[str] | None = None
    ) -> Sequence[OutboxEvent]:
        """At most `limit` events of the outbox, those numbered higher than `after`, in their order."""
        ...


class PackageSigner(Protocol):
    """Signs with the node's release key, which lies outside the database."""

    @property
    def key_id(self) -> str: ...

    @property
    def public_key(self) -> str:
        """The public half, base64."""
        ...

    def seal(self, payload: bytes) -> bytes:
        """A DSSE envelope around an in-toto statement. The same payload gives the same bytes."""
        ...

    def opened(self, envelope: bytes) -> bytes:
        """The payload of an envelope that this key sealed; `IntegrityError` for any other."""
        ...


class ReadmeWriter(Protocol):
    """Writes what people read of a package."""

    def __call__(self, facts: ReleaseFacts, parts: Collection[str]) -> bytes:
        """An HTML page, UTF-8, without script. `parts` are the other generated files of the package."""
        ...


class EngineRuns(Protocol):
    """What the engine has on record of runs."""

    def times(self, run_id: str) -> RunTimes | None:
        """When a run began and ended, and how; None when the engine does not know it any more."""
        ...
