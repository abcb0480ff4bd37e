"""Signed notes and checkpoints: byte for byte what other tools read and write, and nothing else passes."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.adapters.signing import SigningKey, signature_matches
from phems.domain.checkpoint_proofs import (
    ConsistencyProof,
    InclusionProof,
    parse_consistency_proof,
    parse_inclusion_proof,
)
from phems.domain.checkpoints import Checkpoint, parse_checkpoint, sign_checkpoint
from phems.domain.merkle import EMPTY_TREE, leaf_hash
from phems.domain.signed_notes import SignatureLine, SignedNote, VerifierKey, parse_note, sign_note

# The example of golang.org/x/mod/sumdb/note, whose form the specification wrote down.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501
)


def signing_key() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


SIGNER = signing_key()
KEY = VerifierKey("hospital.example/audit", base64.b64decode(SIGNER.public_key))
TREE = EMPTY_TREE.append(leaf_hash(b"one")).append(leaf_hash(b"two")).append(leaf_hash(b"three"))


def checkpoint() -> Checkpoint:
    return sign_checkpoint(TREE, KEY, SIGNER.sign)


def test_a_note_that_another_tool_signed_is_read_and_found_good() -> None:
    key = VerifierKey.parse(GO_KEY)
    note = parse_note(GO_NOTE)
    assert str(key) == GO_KEY
    assert str(note) == GO_NOTE
    assert note.signed_by(key, signature_matches)
    assert not replace(note, text=note.text.replace("don't ", "")).signed_by(key, signature_matches)


def test_a_note_that_nobody_we_know_signed_is_not_signed() -> None:
    note = sign_note("text\n", KEY, SIGNER.sign)
    assert note.signed_by(KEY, signature_matches)
    assert not note.signed_by(replace(KEY, name="another.example"), signature_matches)
    assert not note.signed_by(VerifierKey(KEY.name, bytes(32)), signature_matches)
    assert not SignedNote("text\n", ()).signed_by(KEY, signature_matches)


def test_a_witness_may_add_its_line_and_a_forged_line_of_ours_spoils_the_note() -> None:
    note = sign_note("text\n", KEY, SIGNER.sign)
    witness = SignatureLine("witness.example", b"abcd", b"a signature")
    cosigned = parse_note(str(replace(note, signatures=(witness, *note.signatures))))
    assert cosigned.signed_by(KEY, signature_matches)
    forged = SignatureLine(KEY.name, KEY.key_id, bytes(64))
    assert not replace(note, signatures=(*note.signatures, forged)).signed_by(KEY, signature_matches)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "empty line"),
        ("text\n— a AAAAAAA=\n", "empty line"),
        ("text\n\n— a AAAAAAA=", "empty line"),
        ("text\n\n", "empty line"),
        ("text\n\n— a\n", "three parts"),
        ("te\x00xt\n\n— a AAAAAAA=\n", "control"),
        ("te\rxt\n\n— a AAAAAAA=\n", "control"),
        ("text\n\n- a AAAAAAA=\n", "dash"),
        ("text\n\n— a+b AAAAAAA=\n", "name of a key"),
        ("text\n\n— a not-base64\n", "base64"),
        ("text\n\n— a AAAAAA==\n", "too short"),
        ("text\n\n" + "— a AAAAAAA=\n" * 65, "more than"),
    ],
)
def test_what_is_no_note_is_refused(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_note(written)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("name", "three parts"),
        ("a+00000000+!", "base64"),
        ("a+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(), "not an Ed25519"),
        ("a+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(), "32 bytes"),
        ("a+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "key id"),
        ("a b+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "name of a key"),
    ],
)
def test_what_is_no_key_is_refused(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        VerifierKey.parse(written)


def test_a_checkpoint_is_the_text_that_transparency_log_tools_read() -> None:
    made = checkpoint()
    root = base64.b64encode(TREE.root()).decode()
    assert str(made).startswith(f"hospital.example/audit\n3\n{root}\n\n— hospital.example/audit ")
    assert parse_checkpoint(str(made)) == made
    assert made.signed_by(KEY, signature_matches)
    assert not made.signed_by(VerifierKey("other.example", KEY.public_key), signature_matches)


def test_the_example_of_the_specification_is_read() -> None:
    found = parse_checkpoint(
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)


def test_lines_that_others_put_after_the_third_are_signed_and_ignored() -> None:
    root = base64.b64encode(TREE.root()).decode()
    note = sign_note(f"{KEY.name}\n3\n{root}\nan extension\n", KEY, SIGNER.sign)
    found = parse_checkpoint(str(note))
    assert (found.size, found.root) == (3, TREE.root())
    assert found.signed_by(KEY, signature_matches)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("origin\n3\n", "three lines"),
        (f"origin\n3\n\n{ROOT}\n", "three lines"),
        (f"origin\n03\n{ROOT}\n", "decimal"),
        (f"origin\n-3\n{ROOT}\n", "decimal"),
        (f"origin\n٣\n{ROOT}\n", "decimal"),
        (f"origin\n{'9' * 20}\n{ROOT}\n", "decimal"),
        ("origin\n3\nnot base64\n", "base64"),
        (f"origin\n3\n{base64.b64encode(bytes(31)).decode()}\n", "32 bytes"),
        (f"origin\n3\n{ROOT[:-2]}B=\n", "32 bytes"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_checkpoint(f"{text}\n— a AAAAAAA=\n")


@given(st.text(max_size=200))
def test_whatever_is_read_as_a_checkpoint_is_refused_or_understood(text: str) -> None:
    for read in (parse_checkpoint, parse_inclusion_proof, parse_consistency_proof, VerifierKey.parse):
        try:
            read(text)
        except ValueError:
            continue


def inclusion() -> InclusionProof:
    """Of the third of three leaves: its sibling is the tree of the first two."""
    return InclusionProof(b"three", 2, (TREE.peaks[0],), checkpoint())


def test_a_proof_of_an_entry_is_a_file_that_stands_for_itself() -> None:
    proof = inclusion()
    written = str(proof)
    assert written.splitlines()[:3] == ["c2sp.org/tlog-proof@v1", "extra dGhyZWU=", "index 2"]
    assert parse_inclusion_proof(written) == proof
    assert proof.holds()
    assert not replace(proof, entry=b"four").holds()
    assert not replace(proof, index=1).holds()


def test_a_proof_of_consistency_is_what_a_witness_is_asked_with() -> None:
    older = EMPTY_TREE.append(leaf_hash(b"one")).append(leaf_hash(b"two"))
    old = sign_checkpoint(older, KEY, SIGNER.sign)
    proof = ConsistencyProof(2, (leaf_hash(b"three"),), checkpoint())
    written = str(proof)
    assert written.startswith("old 2\n")
    assert parse_consistency_proof(written) == proof
    assert proof.holds(old)
    assert not proof.holds(replace(old, origin="another.example"))
    assert not proof.holds(replace(old, size=1))
    assert not proof.holds(replace(old, root=bytes(32)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"), "not a proof"),
        (("index 2", "index 02"), "decimal"),
        (("index 2", "place 2"), "begin with index"),
        (("extra dGhyZWU=", "extra !"), "base64"),
        (("\n\n", "\n"), "checkpoint"),
        (("index 2\n", "index 2\n" + f"{ROOT}\n" * 64), "at most"),
    ],
)
def test_what_is_no_proof_is_refused(change: tuple[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_inclusion_proof(str(inclusion()).replace(*change))


def test_what_has_no_checkpoint_is_no_proof_of_consistency() -> None:
    with pytest.raises(ValueError, match="missing"):
        parse_consistency_proof("old 2\n")
