"""What the audit log costs: appends with eight writers, verification and proofs at a million entries.

    python -m benchmarks.governance.audit [--entries N] [--acts N] [--writers N] [--json]

Appends are whole acts against a Postgres of their own: a transaction with one entry, checked against the last
checkpoint, its tree head signed and written to the disk, committed, published. Verification is that of an
exported file, as somebody without the node does it. The proof is of an entry in the middle.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from phems.adapters.checkpoint_file import CheckpointFile
from phems.adapters.postgres.database import Database, open_embedded
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.adapters.signing import SigningKey, load_or_create_key, signature_matches
from phems.domain.actors import NODE
from phems.domain.audit import EMPTY, Draft, Linked, link
from phems.domain.audit_verification import verify
from phems.domain.checkpoint_proofs import InclusionProof
from phems.domain.checkpoints import Checkpoint, sign_checkpoint
from phems.domain.merkle import HASH_SIZE, node_hash
from phems.domain.merkle_proofs import consistency_proof, inclusion_proof
from phems.services.audit_export import checkpoints_line, entry_line, header_line, verify_lines
from phems.services.checkpoints import CheckpointKeeper, verifier_key

ORIGIN = "benchmark.example/audit"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
Figures = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each figure."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="phems-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        key = load_or_create_key(folder / "keys", "audit")
        figures = {
            **appends(folder, key, acts=options.acts, writers=options.writers),
            **verification(folder / "audit.jsonl", key, entries=options.entries),
        }
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for what, figure in figures.items():
            print(f"{what:<52} {figure:>14,.1f}")
    return 0


def appends(folder: Path, key: SigningKey, *, acts: int, writers: int) -> Figures:
    """Acts a second and their latency, by one writer and by several; verification of the database."""
    with _governance(folder, key) as (governance, keeper):
        with governance.transaction() as tx:
            keeper.open(tx.audit.head(), tx.audit)
        _timed(governance, acts // 10 + 1, writers)  # connections are made, caches filled
        alone, alone_rate = _timed(governance, acts // 4 + 1, 1)
        together, rate = _timed(governance, acts, writers)
        started = time.perf_counter()
        with governance.transaction() as tx:
            size = tx.audit.head().size
            assert verify(tx.audit.entries()) is None
        spent = time.perf_counter() - started
    return {
        "append, 1 writer: acts/s": alone_rate,
        "append, 1 writer: p99 ms": _percentile(alone, 99),
        f"append, {writers} writers: acts/s": rate,
        f"append, {writers} writers: p50 ms": _percentile(together, 50),
        f"append, {writers} writers: p99 ms": _percentile(together, 99),
        "verify, in the database: entries/s": size / spent,
    }


def verification(file: Path, key: SigningKey, *, entries: int) -> Figures:
    """The speed of verifying an exported log of so many entries, and the size of proofs from it."""
    tree = _Tree()
    started = time.perf_counter()
    newest = _write_log(file, key, entries, tree)
    written = time.perf_counter() - started
    started = time.perf_counter()
    found = verify_lines(lambda: _lines(file), check=signature_matches, trusted=key.public_key)
    verified = time.perf_counter() - started
    assert found.ok, found.finding
    assert found.entries == entries
    middle = entries // 2
    started = time.perf_counter()
    hashes = inclusion_proof(middle, entries, tree.node)
    proved = time.perf_counter() - started
    proof = InclusionProof(tree.middle, middle, tuple(hashes), newest)
    started = time.perf_counter()
    assert proof.holds()
    checked = time.perf_counter() - started
    consistency = consistency_proof(middle - 1, entries, tree.node)
    return {
        "exported log: entries": entries,
        "exported log: MB": file.stat().st_size / 1e6,
        "link and export: entries/s": entries / written,
        "verify, offline: entries/s": entries / verified,
        "verify, offline: s": verified,
        "inclusion proof: hashes": len(hashes),
        "inclusion proof: bytes of hashes": len(hashes) * HASH_SIZE,
        "inclusion proof: bytes of the file, entry included": len(str(proof).encode()),
        "inclusion proof: made in us": proved * 1e6,
        "inclusion proof: checked in us": checked * 1e6,
        "consistency proof: bytes of hashes": len(consistency) * HASH_SIZE,
    }


class _Tree:
    """All nodes of a tree in memory: what the node reads from the rows of the log."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = []
        self.middle = b""

    def add(self, linked: Linked) -> None:
        node, level = linked.leaf.hash, 0
        while True:
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += node
            if len(self._levels[level]) // HASH_SIZE % 2:
                return
            node = node_hash(bytes(self._levels[level][-2 * HASH_SIZE : -HASH_SIZE]), node)
            level += 1

    def node(self, level: int, index: int) -> bytes:
        return bytes(self._levels[level][index * HASH_SIZE : (index + 1) * HASH_SIZE])


def _write_log(file: Path, key: SigningKey, entries: int, tree: _Tree) -> Checkpoint:
    named = verifier_key(ORIGIN, key.public_key)
    head, earlier = EMPTY, []
    with file.open("wb") as lines:
        lines.write(header_line(named, "2026-11-25T12:00:00.000000Z"))
        for number in range(entries):
            linked = link(head, _draft(number), NOON + timedelta(milliseconds=number))
            head = linked.head
            lines.write(entry_line(linked.entry))
            tree.add(linked)
            if number == entries // 2:
                tree.middle = linked.written
            if head.size % 64 == 0:
                earlier.append(sign_checkpoint(head.tree, named, key.sign))
        newest = sign_checkpoint(head.tree, named, key.sign)
        lines.write(checkpoints_line(newest, earlier))
    return newest


def _draft(number: int) -> Draft:
    """An entry as the admission of a run writes it."""
    details = {"run_id": f"{number:032x}", "job": "analysis", "policy_version": "4:0123456789ab", "n": number}
    return Draft(
        actor=NODE,
        action="run.admit",
        subject=f"run-{number}",
        project="heart-attack",
        capsule=f"{number:064x}",
        details=details,
    )


def _timed(governance: PostgresGovernance, acts: int, writers: int) -> tuple[list[float], float]:
    def act(number: int) -> float:
        started = time.perf_counter()
        draft = _draft(number)
        with governance.transaction() as tx:
            tx.audit.append(
                draft.actor,
                draft.action,
                draft.subject,
                project=draft.project,
                capsule=draft.capsule,
                details=draft.details,
            )
        return time.perf_counter() - started

    started = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        latencies = list(pool.map(act, range(acts)))
    return latencies, acts / (time.perf_counter() - started)


@contextmanager
def _governance(folder: Path, key: SigningKey) -> Iterator[tuple[PostgresGovernance, CheckpointKeeper]]:
    data = folder / "data"
    keeper = CheckpointKeeper(
        origin=ORIGIN,
        store=CheckpointFile(data / "audit" / "checkpoint"),
        signer=key,
        verify=signature_matches,
    )
    database: Database = open_embedded(
        data=data / "postgres", keys=data / "keys", runtime_dir=folder / "run", start=True
    )
    with database:
        yield PostgresGovernance(database.engine("governance"), checkpoints=keeper), keeper


def _percentile(latencies: list[float], percent: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(latencies, n=100)[percent - 1] * 1000


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as lines:
        yield from lines


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.governance.audit", description=__doc__)
    number: Callable[[str], int] = int
    parser.add_argument("--entries", type=number, default=1_000_000, help="entries of the exported log")
    parser.add_argument("--acts", type=number, default=4000, help="acts of all writers together")
    parser.add_argument("--writers", type=number, default=8, help="writers at once")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
