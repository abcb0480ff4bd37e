"""`phems audit prove|consistency|checkpoint`, and what `phems audit verify` does with a proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phems.cli import output
from phems.cli.node import opened
from phems.errors import InputError

if TYPE_CHECKING:
    from phems.domain.checkpoints import Checkpoint
    from phems.domain.signed_notes import VerifierKey

KEY_HELP = (
    "The node's audit.pub.pem, or the line of `phems audit checkpoint --key`, as you have it from the node's "
    "operator, so that no other node's log passes."
)
_OUT = "The file to write; without it, the text is printed."
_MOST_BYTES = 16 * 1024 * 1024
_SIZE = "How many entries the older log had; the second line of its checkpoint."


def register(app: typer.Typer) -> None:
    """Add the verbs to the noun."""
    app.command("prove")(prove)
    app.command("consistency")(consistency)
    app.command("checkpoint")(checkpoint)


def prove(
    seq: Annotated[int, typer.Argument(min=1, help="The entry's number.")],
    out: Annotated[Path | None, typer.Option(help=_OUT)] = None,
) -> None:
    """Prove that an entry is in the log, to whoever has the node's public key."""
    with opened("audit.read") as (node, actor):
        proof = node.audit.prove(actor, seq)
    result = {"seq": seq, "size": proof.checkpoint.size, "hashes": len(proof.hashes)}
    _give(str(proof), out, result, f"The proof of entry {seq} is in {out}.")


def consistency(
    old: Annotated[int, typer.Option("--from", min=0, help=_SIZE)],
    out: Annotated[Path | None, typer.Option(help=_OUT)] = None,
) -> None:
    """Prove that the log goes on from what it was: nothing before was changed or taken out."""
    with opened("audit.read") as (node, actor):
        proof = node.audit.prove_extension(actor, old)
    result = {"from": old, "size": proof.checkpoint.size, "hashes": len(proof.hashes)}
    _give(str(proof), out, result, f"The proof that the log goes on from {old} entries is in {out}.")


def checkpoint(
    out: Annotated[Path | None, typer.Option(help=_OUT)] = None,
    key: Annotated[bool, typer.Option("--key", help="The node's public key instead, on one line.")] = False,
) -> None:
    """Show the last signed checkpoint: keep it elsewhere, and hold later logs against it."""
    with opened("audit.read") as (node, actor):
        if key:
            text = f"{node.audit.key}\n"
            result: dict[str, Any] = {"origin": node.audit.key.name, "key": str(node.audit.key)}
        else:
            found = node.audit.checkpoint(actor)
            text = str(found)
            result = {"origin": found.origin, "size": found.size, "checkpoint": text}
    _give(text, out, result, f"It is in {out}.")


def is_proof_file(file: Path) -> bool:
    """Whether a file is a proof, by its first line."""
    from phems.services.audit_proofs import is_proof

    try:
        with file.open("rb") as lines:
            return is_proof(lines.readline(200).decode(errors="replace"))
    except OSError as error:
        raise unreadable(file, error) from error


def verify_proof(file: Path, key: Path | None, anchored: list[Checkpoint]) -> None:
    """Check a proof, and tell what it shows."""
    from phems.adapters.signing import signature_matches
    from phems.services.audit_proofs import ProvenEntry, check_proof
    from phems.services.checkpoints import verifier_key

    if key is None:
        raise InputError(
            "A proof is checked with the node's public key.",
            why="what it proves is what the holder of that key has signed.",
            remedy=f"phems audit verify {file} --key audit.pub.pem",
        )
    text = _read(file)
    trusted = read_key(key)
    if isinstance(trusted, str):
        # A PEM file has no name in it: then the proof is about the log that its checkpoint names.
        trusted = verifier_key(_origin(text), trusted)
    shown = check_proof(text, check=signature_matches, trusted=trusted, old=anchored[0] if anchored else None)
    if isinstance(shown, ProvenEntry):
        output.done(
            {"entry": shown.entry, "checkpoint": str(shown.checkpoint)},
            f"Entry {shown.entry.get('seq')} is in the audit log {shown.checkpoint.origin}, "
            f"as it was signed at {shown.checkpoint.size} entries:\n{_told(shown.entry)}",
        )
        return
    output.done(
        {"from": shown.old.size, "size": shown.checkpoint.size, "checkpoint": str(shown.checkpoint)},
        f"The audit log {shown.checkpoint.origin} of {shown.checkpoint.size} entries goes on from the one of "
        f"{shown.old.size}: nothing before was changed or taken out.",
    )


def read_checkpoint(file: Path) -> Checkpoint:
    """A checkpoint that somebody kept."""
    from phems.domain.checkpoints import parse_checkpoint

    try:
        return parse_checkpoint(_read(file))
    except ValueError as error:
        raise InputError(
            f"{file} is not a checkpoint of an audit log.",
            why=f"{error}.",
            remedy="Name a file that an outside anchor keeps, or that was written by: phems audit checkpoint",
        ) from error


def read_key(file: Path) -> VerifierKey | str:
    """The public key of a PEM file (base64), or of a line `name+id+key`."""
    from phems.adapters.signing import load_public_key
    from phems.domain.signed_notes import VerifierKey

    try:
        return VerifierKey.parse(_read(file))
    except ValueError:
        return load_public_key(file)


def unreadable(file: Path, error: OSError) -> InputError:
    """The file cannot be read."""
    return InputError(
        f"{file} cannot be read.", why=error.strerror or str(error), remedy="Name an exported audit log."
    )


def _give(text: str, out: Path | None, result: dict[str, Any], told: str) -> None:
    if out is None:
        output.done({**result, "text": text}, text.removesuffix("\n"))
        return
    from phems.adapters.durable_files import replace

    replace(out, text.encode(), mode=0o644)
    output.done({**result, "file": out.absolute()}, told)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode()
    except OSError as error:
        raise unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not text.", why=str(error), remedy="Name another file.") from error


def _origin(proof: str) -> str:
    return proof.partition("\n\n")[2].partition("\n")[0] or "-"


def _told(entry: dict[str, Any]) -> str:
    names = ("at", "actor", "action", "subject", "project", "result")
    return "\n".join(f"  {name:<8} {entry[name]}" for name in names if entry.get(name) is not None)
