"""Proofs and exports of a real log: they convince with the public key alone, and nothing forged does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from phems.adapters.signing import load_or_create_key, signature_matches
from phems.domain.checkpoints import parse_checkpoint
from phems.domain.merkle import Leaf
from phems.errors import InputError, IntegrityError, NotFoundError
from phems.services.audit_export import parse_entry, verify_lines
from phems.services.audit_proofs import ProvenEntry, ProvenExtension, check_proof, is_proof
from phems.services.checkpoints import verifier_key

from .conftest import ADA, ORIGIN, Site


def check(site: Site, proof: str, **options: object) -> ProvenEntry | ProvenExtension:
    return check_proof(proof, check=signature_matches, trusted=site.log.key, **options)  # type: ignore[arg-type]


def test_every_entry_can_be_proved_to_who_has_the_key_alone(site: Site) -> None:
    site.act(6)
    for seq in range(1, 7):
        proof = str(site.log.prove(ADA, seq))
        assert is_proof(proof.partition("\n")[0])
        shown = check(site, proof)
        assert isinstance(shown, ProvenEntry)
        assert shown.entry["seq"] == seq


def test_a_proof_of_a_changed_entry_or_by_another_key_shows_nothing(site: Site) -> None:
    site.act(3)
    proof = site.log.prove(ADA, 2)
    forged = replace(proof, entry=proof.entry.replace(b"ada", b"eve"))
    with pytest.raises(IntegrityError, match="does not hold"):
        check(site, str(forged))
    other = load_or_create_key(site.folder / "other", "audit")
    with pytest.raises(IntegrityError, match="not signed"):
        check_proof(str(proof), check=signature_matches, trusted=verifier_key(ORIGIN, other.public_key))
    with pytest.raises(InputError, match="not a proof"):
        check(site, str(proof).replace("index", "place"))
    with pytest.raises(NotFoundError, match="no entry 99"):
        site.log.prove(ADA, 99)


def test_the_log_is_proved_to_go_on_from_every_earlier_size(site: Site) -> None:
    """What a coordinator does: keep the last checkpoint, and ask for a proof from it to the next."""
    kept = [site.kept()]
    for _ in range(7):
        site.act()
        kept.append(site.kept())
    for old in kept:
        proof = str(site.log.prove_extension(ADA, old.size))
        shown = check(site, proof, old=old)
        assert isinstance(shown, ProvenExtension)
        assert shown.checkpoint.size >= 8
    with pytest.raises(IntegrityError, match="does not hold"):
        check(site, proof, old=kept[2])
    with pytest.raises(InputError, match="older checkpoint"):
        check(site, proof)
    with pytest.raises(InputError, match="never had"):
        site.log.prove_extension(ADA, 1000)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit.entry SET peaks = decode(repeat('00', length(peaks)), 'hex') WHERE seq = 8",
        "UPDATE audit.entry SET peaks = '' WHERE seq = 8",
        "DELETE FROM audit.entry WHERE seq = 4",
        "UPDATE audit.entry SET canonical = replace(canonical, 'ada', 'eve') WHERE seq = 4",
    ],
)
def test_a_log_whose_tree_was_damaged_gives_no_false_proof(site: Site, damage: str) -> None:
    site.act(8)
    with site.database.engine("admin").begin() as connection:
        connection.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER ALL"))
        connection.execute(text(damage))
    refused = 0
    for seq in range(1, 9):
        try:
            shown = check(site, str(site.log.prove(ADA, seq)))
        except (IntegrityError, NotFoundError):
            refused += 1
        else:
            assert isinstance(shown, ProvenEntry)
            assert (shown.entry["seq"], shown.entry["actor"]) == (seq, "ada")
    assert refused


def test_an_entry_is_kept_with_the_tree_that_it_was_appended_to(site: Site) -> None:
    """So any later root, and any proof, is told from a few rows and not from all."""
    site.act(5)
    with site.governance.transaction() as tx:
        leaves = [tx.audit.leaf(seq) for seq in range(1, 6)]
        head = tx.audit.head()
    assert all(isinstance(leaf, Leaf) for leaf in leaves)
    assert leaves[-1] is not None
    assert leaves[-1].after() == head.tree


def test_an_exported_log_verifies_against_what_an_anchor_kept(site: Site) -> None:
    site.act(3)
    kept = site.kept()
    older = list(site.log.export(ADA))
    site.act(2)
    newer = site.kept()
    lines = list(site.log.export(ADA))
    for anchored in ([kept], [newer], [kept, newer]):
        assert verify_lines(lambda: lines, check=signature_matches, anchored=anchored).ok
    finding = verify_lines(lambda: older, check=signature_matches, anchored=[newer]).finding
    assert finding is not None, "an older export passes for the whole log, but for the anchor"
    assert (finding.kind, finding.seq) == ("rolled back", 5)


def test_an_export_narrows_down_where_a_log_was_written_anew(site: Site) -> None:
    """Many checkpoints were signed on the way: between two of them lies what was changed."""
    for _ in range(9):
        with site.governance.transaction() as tx:
            for _ in range(16):
                tx.audit.append(ADA, "code.submit", "revision")
    lines = list(site.log.export(ADA))
    assert lines[-1].count(b"hospital.example/audit\\n64\\n") == 1
    forged = Site(site.folder / "forged", site.database)
    forged.key = site.key
    with site.governance.transaction() as tx:
        from phems.domain.audit import EMPTY, Draft, link
        from phems.services.audit_export import entry_line

        head, entries = EMPTY, []
        for entry in tx.audit.entries():
            if entry.seq < 100:
                entries.append(entry)
                head = head.then(entry.canonical())
                continue
            draft = Draft(actor=ADA, action="code.revoke", subject=entry.subject)
            linked = link(head, draft, site.clock.now())
            entries.append(linked.entry)
            head = linked.head
    rewritten = [lines[0], *map(entry_line, entries), lines[-1]]
    finding = verify_lines(lambda: rewritten, check=signature_matches).finding
    assert finding is not None
    assert finding.kind == "forked"
    assert (finding.seq, finding.until) == (65, 128)


def test_a_checkpoint_is_what_the_node_signed_last(site: Site) -> None:
    site.act(2)
    found = site.log.checkpoint(ADA)
    assert parse_checkpoint(str(found)) == found == site.kept()
    assert found.size == 3
    assert parse_entry(list(site.log.export(ADA))[3]).action == "audit.checkpoint"
