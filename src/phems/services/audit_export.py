"""An exported audit log: a file that can be verified without the node, without a database.

The file is JSON Lines: a header (which log, its public key), an entry a line, and the signed checkpoints
last: the newest, and earlier ones that narrow down where a log was written anew. Each line is canonical
JSON. A verifier needs the file alone; to be sure that it is *this* node's log, they also need the node's
public key from elsewhere, for a forger would put their own in the header; and to be sure that it is not an
older state of it, the last checkpoint that an outside anchor has.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from phems.domain.audit import ABSENT, CONTENT, Entry
from phems.domain.audit_verification import Finding, SignedHead, verify
from phems.domain.backups import SetBack, set_backs_of
from phems.domain.canonical import canonical, parse
from phems.domain.checkpoints import Checkpoint, parse_checkpoint
from phems.domain.signed_notes import VerifierKey
from phems.errors import InputError
from phems.services.ports.audit import SignatureCheck

FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a verification read and found."""

    entries: int
    """How many were read before the end, or before the finding."""
    checkpoint: Checkpoint | None
    public_key: str
    """Raw Ed25519, base64."""
    finding: Finding | None
    anchors: tuple[str, ...] = ()
    """The outside anchors whose checkpoints were compared."""
    silent_anchors: tuple[str, ...] = ()
    """Those that could not be asked, or have nothing that can be asked for."""
    set_backs: tuple[str, ...] = ()
    """What the log itself says of having been restored behind an outside anchor, as clauses."""
    left_behind: tuple[str, ...] = ()
    """Those of them that name a checkpoint that the log was held against: but for these it is whole."""

    @property
    def ok(self) -> bool:
        return self.finding is None


def header_line(key: VerifierKey, exported_at: str) -> bytes:
    """The first line."""
    return _line({"phems_audit": FORMAT, "origin": key.name, "key": str(key), "exported_at": exported_at})


def entry_line(entry: Entry) -> bytes:
    """An entry's line."""
    return _line({**entry.content(), "hash": entry.hash})


def checkpoints_line(newest: Checkpoint, earlier: Iterable[Checkpoint]) -> bytes:
    """The last line."""
    return _line({"checkpoint": str(newest), "earlier": [str(each) for each in earlier]})


def verify_lines(
    open_lines: Callable[[], Iterable[bytes]],
    *,
    check: SignatureCheck,
    trusted: VerifierKey | str | None = None,
    anchored: Sequence[Checkpoint] = (),
) -> Verification:
    """Verify an exported log, a line at a time, without a database; `open_lines` is called twice.

    1. The first line is the header; the last has the checkpoints, all signed by the node's key for this log.
    2. The entries between them are a chain, and the trees over them those of the checkpoints, of `anchored`
       ones too (see `phems.domain.audit_verification.verify`).
    3. The log ends with the newest checkpoint, and not before or after.
    4. Where it contradicts `anchored` ones: whether entries of a restore name exactly them, and the reason.
       Then it is held against the others alone, so that nothing but the restore may be wrong with it.

    `trusted` is the node's key as the verifier knows it (a public key in base64, or one with the log's name);
    without it, the one in the header is taken. InputError when the lines are not an exported log at all.
    """
    found, told = _verified(open_lines, check, trusted, anchored, anchored)
    named = {(each.size, each.root): str(each) for each in told}
    left = {each: named[place] for each in anchored if (place := (each.size, each.root.hex())) in named}
    if found.finding is not None and left:  # 4
        others = [each for each in anchored if each not in left]
        found, told = _verified(open_lines, check, trusted, anchored, others)
        found = replace(found, left_behind=tuple(left.values()))
    return replace(found, set_backs=tuple(map(str, told)))


def _verified(
    open_lines: Callable[[], Iterable[bytes]],
    check: SignatureCheck,
    trusted: VerifierKey | str | None,
    anchored: Sequence[Checkpoint],
    against: Sequence[Checkpoint],
) -> tuple[Verification, Sequence[SetBack]]:
    """Steps 1 to 3: all of `anchored` are signed, `against` continued. And the set-backs that were read."""
    header, newest, earlier = _frame(open_lines())
    key = _key(header, trusted)
    reader = _EntryLines(open_lines(), signed=newest is not None)
    finding = _not_signed(key, check, [*([newest] if newest else []), *earlier, *anchored])  # 1
    if finding is None:
        heads = [
            *(_head(each, "an earlier checkpoint") for each in earlier),
            *(_head(each, "an outside anchor", is_anchor=True) for each in against),
            *([_head(newest, "its last checkpoint")] if newest else []),
        ]
        finding = verify(reader, heads, complete=newest is not None)  # 2, 3
    if reader.malformed is not None and (finding is None or finding.kind in {"truncated", "rolled back"}):
        finding = reader.malformed
    if finding is None and newest is None:
        finding = Finding("truncated", reader.read + 1, "the signed checkpoint at the end is missing")
    verification = Verification(
        entries=reader.read,
        checkpoint=newest,
        public_key=base64.b64encode(key.public_key).decode(),
        finding=finding,
        anchors=("given",) * bool(anchored),
    )
    return verification, reader.set_backs


def _head(checkpoint: Checkpoint, held_by: str, *, is_anchor: bool = False) -> SignedHead:
    return SignedHead(checkpoint.size, checkpoint.root, held_by, is_anchor)


def _key(header: VerifierKey, trusted: VerifierKey | str | None) -> VerifierKey:
    if trusted is None:
        return header
    if isinstance(trusted, VerifierKey):
        return trusted
    return VerifierKey(header.name, base64.b64decode(trusted))


def _not_signed(key: VerifierKey, check: SignatureCheck, found: Iterable[Checkpoint]) -> Finding | None:
    for checkpoint in found:
        if not checkpoint.signed_by(key, check):
            return Finding("forged", checkpoint.size, f"its signature is not that of the key {key.name}")
    return None


class _EntryLines:
    """The entries of an exported log; ends at a line that is none, and says so in `malformed`."""

    def __init__(self, lines: Iterable[bytes], *, signed: bool) -> None:
        self._lines = lines
        self._signed = signed
        self.read = 0
        self.malformed: Finding | None = None
        self.set_backs: list[SetBack] = []

    def __iter__(self) -> Iterator[Entry]:
        rest = iter(self._lines)
        next(rest)  # the header
        held = next(rest, None)
        for line in rest:
            # One line is held back: the last has the checkpoints.
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
            entry = parse_entry(line)
        except ValueError as error:
            seq = self.read + 1
            self.malformed = Finding("changed", seq, f"line {seq + 1} is not an audit entry: {error}")
            return None
        with suppress(KeyError, TypeError, ValueError, AttributeError):  # not of the form: it says nothing
            self.set_backs += set_backs_of(entry)
        return entry


def parse_entry(line: bytes) -> Entry:
    """An entry of its line; ValueError when it is none."""
    found = parse(line)
    if not isinstance(found, dict) or not _ALWAYS <= found.keys() <= _ENTRY_TYPES.keys():
        raise ValueError("its fields are not those of an entry")
    for name, value in found.items():
        if type(value) not in _ENTRY_TYPES[name]:
            raise ValueError(f"{name} has a wrong type")
    return Entry(**found)


_ENTRY_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys((*CONTENT, "hash"), (str,)),
    "seq": (int,),
    "project": (str, type(None)),
    "details": (dict,),
}
_ALWAYS = _ENTRY_TYPES.keys() - set(ABSENT)


def _frame(lines: Iterable[bytes]) -> tuple[VerifierKey, Checkpoint | None, list[Checkpoint]]:
    """The key in the header, and the checkpoints in the last line when that has some."""
    first = last = b""
    for number, line in enumerate(lines):
        first, last = (line if number == 0 else first), line
    try:
        header = parse(first)
        known = header["phems_audit"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "This is not an exported audit log.",
            why=f"its first line is no header: {error}.",
            remedy="Name a file that was written by: phems audit export --out FILE",
        ) from error
    try:
        if known != FORMAT:
            raise ValueError(f"its format is {known}, and this version reads {FORMAT}")  # noqa: TRY301
        key = VerifierKey.parse(header["key"])
        if key.name != header["origin"]:
            raise ValueError("its key is that of another log")  # noqa: TRY301
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "This is not an exported audit log that this version can read.", why=f"{error}."
        ) from error
    return key, *_checkpoints(last)


def _checkpoints(last: bytes) -> tuple[Checkpoint | None, list[Checkpoint]]:
    try:
        found = parse(last)
        return parse_checkpoint(found["checkpoint"]), [parse_checkpoint(each) for each in found["earlier"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, []


def _line(content: Any) -> bytes:
    return canonical(content) + b"\n"
