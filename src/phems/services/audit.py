"""The audit log's use cases: read it, export it as a file that can be verified without the node, verify it.

The file is JSON Lines: a header (which node, its public key), an entry a line, and the signed checkpoint
last. Each line is canonical JSON. A verifier needs the file alone; to be sure that it is *this* node's
log, it also needs the node's public key from elsewhere, for a forger would put their own in the header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from phems.domain.actors import Actor
from phems.domain.audit import CONTENT, Checkpoint, Entry, Finding, timestamp, verify
from phems.domain.canonical import canonical, parse
from phems.errors import InputError, IntegrityError
from phems.services.checkpoints import CheckpointKeeper
from phems.services.ports import Governance
from phems.services.ports.audit import SignatureCheck, Signer
from phems.services.ports.clock import Clock

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a verification read and found."""

    entries: int
    """How many were read before the end, or before the finding."""
    checkpoint: Checkpoint | None
    public_key: str
    finding: Finding | None

    @property
    def ok(self) -> bool:
        return self.finding is None


class AuditLog:
    """The audit log of a node."""

    def __init__(
        self, node: str, *, governance: Governance, keeper: CheckpointKeeper, signer: Signer, clock: Clock
    ) -> None:
        self._node = node
        self._governance = governance
        self._keeper = keeper
        self._signer = signer
        self._clock = clock

    def open(self) -> None:
        """At the start of a node: sign the empty log of a new one, refuse a log that was tampered with."""
        with self._governance.transaction() as tx:
            head = tx.audit.head()
            self._keeper.open(head, self._clock.now())
            self._keeper.check(head, tx.audit.hash_at)

    def tail(self, count: int, *, project: str | None = None) -> list[Entry]:
        """The last entries, oldest first."""
        with self._governance.transaction() as tx:
            return tx.audit.tail(count, project=project)

    def export(self, actor: Actor) -> Iterator[bytes]:
        """The lines of an exported log. The export is itself an entry, the last of them.

        A log that was tampered with is exported as it is, under the last checkpoint that was signed: the
        file is evidence, and fails its verification.
        """
        intact = self._record_export(actor)
        with self._governance.transaction() as tx:
            head = tx.audit.head()
            key = {"public_key": self._signer.public_key, "key_id": self._signer.key_id}
            header = {"phems_audit": FORMAT, "node": self._node, **key}
            yield _line({**header, "exported_at": timestamp(self._clock.now())})
            for entry in tx.audit.entries():
                if entry.seq > head.size:
                    break
                yield _line(asdict(entry))
            checkpoint = self._keeper.sign(head, self._clock.now()) if intact else self._last_checkpoint()
            if checkpoint is not None:
                yield _line({"checkpoint": asdict(checkpoint)})

    def verify(self) -> Verification:
        """Verify the database against the last checkpoint."""
        # Read first: entries that come in meanwhile make the log longer than it says, never shorter.
        checkpoint = self._keeper.read()
        with self._governance.transaction() as tx:
            counter = _Counter(tx.audit.entries())
            finding = verify(counter, checkpoint, self._keeper.signed_by_node)
        if finding is None and checkpoint is None and counter.read:
            finding = Finding("forged", counter.read, "there is no checkpoint: it was removed")
        return Verification(
            entries=counter.read, checkpoint=checkpoint, public_key=self._signer.public_key, finding=finding
        )

    def _last_checkpoint(self) -> Checkpoint | None:
        try:
            return self._keeper.read()
        except IntegrityError:
            return None

    def _record_export(self, actor: Actor) -> bool:
        try:
            with self._governance.transaction() as tx:
                tx.audit.append(actor, "audit.export", self._node)
        except IntegrityError:
            return False
        return True


def verify_lines(
    open_lines: Callable[[], Iterable[bytes]], *, check: SignatureCheck, trusted_key: str | None = None
) -> Verification:
    """Verify an exported log, a line at a time, without a database; `open_lines` is called twice.

    1. The first line is the header, the last the checkpoint, signed by the node's key for this node.
    2. The entries between them are a chain (see `phems.domain.audit.verify`).
    3. The chain ends with the checkpoint's head, and not before or after.

    `trusted_key` is the node's public key (base64) as the verifier knows it; without it, the one in the
    header is taken. InputError when the lines are not an exported log at all.
    """
    header, checkpoint = _frame(open_lines())
    reader = _EntryLines(open_lines(), signed=checkpoint is not None)
    public_key = trusted_key or header["public_key"]

    def signed_by_node(found: Checkpoint) -> bool:
        named = found.node == header["node"] and found.key_id == header["key_id"]
        return named and check(public_key, found.signed_bytes(), found.signature)

    finding = verify(reader, checkpoint, signed_by_node, complete=True)
    if reader.malformed is not None and (finding is None or finding.kind == "truncated"):
        finding = reader.malformed
    if finding is None and checkpoint is None:
        finding = Finding("truncated", reader.read + 1, "the signed checkpoint at the end is missing")
    return Verification(entries=reader.read, checkpoint=checkpoint, public_key=public_key, finding=finding)


class _Counter:
    """Counts what passes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = entries
        self.read = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            yield entry
            self.read += 1


class _EntryLines:
    """The entries of an exported log; ends at a line that is none, and says so in `malformed`."""

    def __init__(self, lines: Iterable[bytes], *, signed: bool) -> None:
        self._lines = lines
        self._signed = signed
        self.read = 0
        self.malformed: Finding | None = None

    def __iter__(self) -> Iterator[Entry]:
        rest = iter(self._lines)
        next(rest)  # the header
        held = next(rest, None)
        for line in rest:
            # One line is held back: the last is the checkpoint.
            if held is None or (entry := self._entry(held)) is None:
                return
            yield entry
            self.read += 1
            held = line
        if held is not None and not self._signed and (entry := self._entry(held)) is not None:
            yield entry
            self.read += 1

    def _entry(self, line: bytes) -> Entry | None:
        try:
            return parse_entry(line)
        except ValueError as error:
            seq = self.read + 1
            self.malformed = Finding("changed", seq, f"line {seq + 1} is not an audit entry: {error}")
            return None


def parse_entry(line: bytes) -> Entry:
    """An entry of its line; ValueError when it is none."""
    found = parse(line)
    if not isinstance(found, dict) or set(found) != _ENTRY_TYPES.keys():
        raise ValueError("its fields are not those of an entry")
    for name, types in _ENTRY_TYPES.items():
        if type(found[name]) not in types:
            raise ValueError(f"{name} has a wrong type")
    return Entry(**found)


_ENTRY_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys((*CONTENT, "hash"), (str,)),
    "seq": (int,),
    "project": (str, type(None)),
    "details": (dict,),
}


def parse_checkpoint(found: Any) -> Checkpoint:
    """A checkpoint of its JSON; ValueError when it is none."""
    names = [each.name for each in fields(Checkpoint)]
    if not isinstance(found, dict) or sorted(found) != sorted(names):
        raise ValueError("its fields are not those of a checkpoint")
    for name, value in found.items():
        if type(value) is not (int if name == "size" else str):
            raise ValueError(f"{name} has a wrong type")
    return Checkpoint(**found)


def _frame(lines: Iterable[bytes]) -> tuple[dict[str, str], Checkpoint | None]:
    """The header, and the checkpoint in the last line when that is one."""
    first = last = b""
    for number, line in enumerate(lines):
        first, last = (line if number == 0 else first), line
    try:
        header = parse(first)
        texts = {name: header[name] for name in ("node", "public_key", "key_id")}
        known = header["phems_audit"] == FORMAT and all(isinstance(text, str) for text in texts.values())
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "This is not an exported audit log.",
            why=f"its first line is no header: {error}.",
            remedy="Name a file that was written by: phems audit export --out FILE",
        ) from error
    if not known:
        raise InputError(
            "This is not an exported audit log that this version can read.", why="see its header."
        )
    try:
        return texts, parse_checkpoint(parse(last)["checkpoint"])
    except (ValueError, KeyError, TypeError):
        return texts, None


def _line(content: Any) -> bytes:
    return canonical(content) + b"\n"
