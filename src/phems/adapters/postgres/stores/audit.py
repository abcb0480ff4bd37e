"""The audit log in Postgres: appended to at the end of a transaction, under one lock, without a gap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from phems.domain.actors import Actor
from phems.domain.audit import EMPTY, Draft, Entry, Head, Linked, link
from phems.domain.canonical import canonical, parse
from phems.domain.live_changes import changes_by
from phems.domain.merkle import Frontier, Leaf, leaf_hash
from phems.errors import IntegrityError
from phems.services.ports.audit import EntryFilter
from phems.services.ports.clock import Clock

# Any constant does, as long as nothing else takes the lock of that number.
APPEND_LOCK = 0x7068656D73  # "phems"
PAGE = 1000
CHANGED_CHANNEL = "phems_changed"

# details as text: a driver's own reading of jsonb would lose how numbers were written.
_COLUMNS = (
    "seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, actor, actor_kind, "
    "action, subject, project, result, capsule, before, after, details::text AS details, canonical, "
    "prev_hash, hash"
)
_INSERT = text(
    "INSERT INTO audit.entry (seq, at, actor, actor_kind, action, subject, project, result, capsule, before, "
    "after, details, canonical, prev_hash, hash, peaks) VALUES (:seq, CAST(:at AS timestamptz), :actor, "
    ":actor_kind, :action, :subject, :project, :result, :capsule, :before, :after, CAST(:details AS jsonb), "
    ":canonical, :prev_hash, :hash, :peaks)"
)
_LAST = text("SELECT seq, hash, canonical, peaks FROM audit.entry ORDER BY seq DESC LIMIT 1")
_LEAF = text("SELECT seq, canonical, peaks FROM audit.entry WHERE seq = :seq")


_FITS: Mapping[str, str] = {
    "actor": "actor = :actor",
    # One index serves both: "code" is `code`, or begins with `code.` ("/" is the character after ".").
    "action": '(action COLLATE "C" = :action OR '
    "(action COLLATE \"C\" >= :action || '.' AND action COLLATE \"C\" < :action || '/'))",
    "subject": "subject LIKE :subject",
    "project": "project = :project",
    "result": "result = :result",
    "since": "at >= CAST(:since AS timestamptz)",
    "before": "at < CAST(:before AS timestamptz)",
}
"""The conditions of a search, by the field of the filter."""


class PostgresAuditStore:
    """`AuditWriter` over one connection. `flush` is the unit of work's, at the end of the transaction."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._drafts: list[Draft] = []
        self.has_appended = False
        """Whether this transaction is an act, or a refusal on record."""

    def append(
        self,
        actor: Actor,
        action: str,
        subject: str,
        *,
        project: str | None = None,
        result: str = "done",
        capsule: str | None = None,
        before: str | None = None,
        after: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Record an act; see the port."""
        self.has_appended = True
        self._drafts.append(
            Draft(
                actor=actor,
                action=action,
                subject=subject,
                project=project,
                result=result,
                capsule=capsule,
                before=before,
                after=after,
                details=details or {},
            )
        )

    def flush(self, before: Callable[[PostgresAuditStore, Head], None] | None = None) -> Head | None:
        """Insert what was appended; the new head, or None when there is nothing new.

        Takes the lock that makes numbers follow each other, and holds it to the end of the transaction.
        `before` is called with the head that is there, and may refuse by raising.
        """
        if not self._drafts:
            return None
        self._take_lock()
        head = self._stored_head()
        if before is not None:
            before(self, head)
        for draft in self._drafts:
            linked = link(head, draft, self._clock.now())
            self._connection.execute(_INSERT, _parameters(linked))
            self._tell(draft)
            head = linked.head
        self._drafts.clear()
        return head

    def _tell(self, draft: Draft) -> None:
        """Tell open pages, once the transaction commits; the same told twice is told once by Postgres."""
        for changed in changes_by(draft.action, draft.project, draft.result, draft.details):
            told = {"channel": CHANGED_CHANNEL, "changed": changed.as_text()}
            self._connection.execute(text("SELECT pg_notify(:channel, :changed)"), told)

    def head(self) -> Head:
        """The end of the log, this transaction's entries included."""
        return self.flush() or self._stored_head()

    def came_to(self, head: Head) -> bool:
        """Whether the log was ever at this head; waits for whoever is appending to it."""
        self._take_lock()
        query = text("SELECT hash FROM audit.entry WHERE seq = :seq")
        found: str | None = self._connection.execute(query, {"seq": head.size}).scalar()
        return found == head.hash

    def leaf(self, seq: int) -> Leaf | None:
        """The leaf of entry `seq` with the tree that it was appended to."""
        row = self._connection.execute(_LEAF, {"seq": seq}).first()
        return None if row is None else _leaf(row)

    def written_at(self, seq: int) -> datetime | None:
        """When entry `seq` was appended."""
        query = text("SELECT at FROM audit.entry WHERE seq = :seq")
        found: datetime | None = self._connection.execute(query, {"seq": seq}).scalar()
        return found

    def recorded(self, action: str) -> list[Entry]:
        """The stored entries of one action."""
        query = text(f'SELECT {_COLUMNS} FROM audit.entry WHERE action COLLATE "C" = :action ORDER BY seq')  # noqa: S608
        return [_entry(row) for row in self._connection.execute(query, {"action": action})]

    def entry(self, seq: int) -> Entry | None:
        """Entry `seq`; None when there is no such entry."""
        self.flush()
        row = self._connection.execute(
            text(f"SELECT {_COLUMNS} FROM audit.entry WHERE seq = :seq"),  # noqa: S608
            {"seq": seq},
        ).first()
        return None if row is None else _entry(row)

    def entries(self, *, after: int = 0) -> Iterator[Entry]:
        """All entries after `after` as a stream, in the order of their numbers."""
        self.flush()
        query = text(f"SELECT {_COLUMNS} FROM audit.entry WHERE seq > :after ORDER BY seq LIMIT {PAGE}")  # noqa: S608
        while rows := self._connection.execute(query, {"after": after}).all():
            for row in rows:
                yield _entry(row)
            after = rows[-1].seq

    def tail(self, count: int, *, project: str | None = None) -> list[Entry]:
        """The last `count` entries, oldest first."""
        self.flush()
        where = "WHERE project = :project" if project is not None else ""
        query = text(f"SELECT {_COLUMNS} FROM audit.entry {where} ORDER BY seq DESC LIMIT :count")  # noqa: S608
        parameters = {"count": count} | ({"project": project} if project is not None else {})
        rows = self._connection.execute(query, parameters).all()
        return [_entry(row) for row in reversed(rows)]

    def search(self, wanted: EntryFilter, *, count: int, below: int | None = None) -> list[Entry]:
        """The last `count` entries that fit, newest first."""
        self.flush()
        given: dict[str, Any] = {
            name: value for name in _FITS if (value := getattr(wanted, name)) is not None
        }
        if "subject" in given:
            given["subject"] = _begins_with(given["subject"])
        conditions = [_FITS[name] for name in given] + ([] if below is None else ["seq < :below"])
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        query = text(f"SELECT {_COLUMNS} FROM audit.entry {where} ORDER BY seq DESC LIMIT :count")  # noqa: S608
        rows = self._connection.execute(query, {**given, "count": count, "below": below}).all()
        return [_entry(row) for row in rows]

    def _take_lock(self) -> None:
        self._connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPEND_LOCK})

    def _stored_head(self) -> Head:
        row = self._connection.execute(_LAST).first()
        if row is None:
            return EMPTY
        leaf = _leaf(row)
        head = Head(row.hash, leaf.before).then(row.canonical.encode())
        if head.hash != row.hash:
            raise _damaged(row.seq, "its hash is not the hash of its content")
        return head


def _leaf(row: Row[Any]) -> Leaf:
    try:
        before = Frontier.unpacked(row.seq - 1, bytes(row.peaks))
    except ValueError as error:
        raise _damaged(row.seq, str(error)) from error
    return Leaf(leaf_hash(row.canonical.encode()), before)


def _begins_with(start: str) -> str:
    r"""A LIKE pattern for what begins with a text, whatever is in it (`\` escapes by default)."""
    return re.sub(r"([\\%_])", r"\\\1", start) + "%"


def _damaged(seq: int, why: str) -> IntegrityError:
    return IntegrityError(
        f"Entry {seq} of the audit log was changed.",
        why=f"{why}.",
        remedy="Nothing was done. Find out what else was changed: phems audit verify",
    )


def _parameters(linked: Linked) -> dict[str, Any]:
    entry = linked.entry
    return {
        **dict.fromkeys(("capsule", "before", "after")),
        **entry.content(),
        "details": canonical(entry.details).decode(),
        "canonical": linked.written.decode(),
        "hash": entry.hash,
        "peaks": linked.leaf.before.packed(),
    }


def _entry(row: Row[Any]) -> Entry:
    entry = Entry(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        actor_kind=row.actor_kind,
        action=row.action,
        subject=row.subject,
        project=row.project,
        result=row.result,
        capsule=row.capsule,
        before=row.before,
        after=row.after,
        details=parse(row.details),
        prev_hash=row.prev_hash,
        hash=row.hash,
    )
    if row.canonical.encode() == entry.canonical():
        return entry
    # The columns and the canonical text disagree: whichever was changed, the entry must not verify.
    return Entry(**entry.content(), hash="canonical text and columns differ")
